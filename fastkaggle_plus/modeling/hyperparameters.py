"""Numbers of a model that cannot be, refused with their name before anything is read."""

from __future__ import annotations

import math
from numbers import Integral, Real

from ..exceptions import ConfigError

__all__ = ["check_range", "check_whole"]


def check_whole(
    lowest: int,
    **given: object,  # name = value
) -> None:
    "Raise ConfigError for what is no whole number, or below the lowest that is allowed."
    for name, value in given.items():
        if not isinstance(value, Integral) or int(value) < lowest:
            raise ConfigError(f"{name} = {value!r}: a whole number of {lowest} or more is needed.")


def check_range(
    lowest: float,
    highest: float = math.inf,
    **given: object,  # name = value
) -> None:
    "Raise ConfigError for what is no number, or out of range."
    for name, value in given.items():
        if (
            not isinstance(value, Real)
            or not lowest <= float(value) <= highest
            or math.isinf(value)
        ):
            allowed = (
                f"of {lowest:g} or more"
                if math.isinf(highest)
                else f"from {lowest:g} to {highest:g}"
            )
            raise ConfigError(f"{name} = {value!r}: a number {allowed} is needed.")
