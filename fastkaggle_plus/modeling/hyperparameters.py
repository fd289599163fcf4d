"""Validate hyperparameters before reading data."""

import math
from numbers import Integral, Real

from ..exceptions import ConfigError

LEAST_BS = 2  # images per batch: batch normalisation needs two
PRECISIONS = ("auto", "fp32", "bf16", "fp16")


def check_whole(lowest: int, **values: object) -> None:
    """Raise ConfigError unless each value is a whole number of at least `lowest`."""
    for name, value in values.items():
        if not isinstance(value, Integral) or int(value) < lowest:
            raise ConfigError(
                f"Expected a whole number of {lowest} or more, got {name} = {value!r}."
            )


def check_range(lowest: float, highest: float = math.inf, **values: object) -> None:
    """Raise ConfigError unless each value is a finite number from `lowest` to `highest`."""
    allowed = f"of {lowest:g} or more" if math.isinf(highest) else f"from {lowest:g} to {highest:g}"
    for name, value in values.items():
        is_number = isinstance(value, Real) and not math.isinf(value)
        if not is_number or not lowest <= float(value) <= highest:  # type: ignore[arg-type]
            raise ConfigError(f"Expected a number {allowed}, got {name} = {value!r}.")


def check_batches(bs: int, accum: int) -> None:
    """Raise ConfigError unless each of `accum` batches per step has the images it needs."""
    check_whole(LEAST_BS, bs=bs)
    check_whole(1, accum=accum)
    if bs // accum < LEAST_BS:
        raise ConfigError(
            f"A batch needs two images or more, got bs = {bs} images in accum = {accum} batches. "
            f"Use a larger bs, or accum = {bs // 2} at most."
        )
