"""Validate hyperparameters before reading data."""

import inspect
import json
import math
from collections.abc import Callable, Mapping
from numbers import Integral, Real
from typing import Any, get_type_hints

from ..exceptions import ConfigError, UnknownName

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


def check_arguments(function: Callable[..., Any], params: Mapping[str, Any], *, name: str) -> None:
    """Check the arguments of a trial's function by its signature; values by their annotations.

    Raises UnknownName for an argument it does not take, ConfigError for a missing one and for a
    value of another type.
    """
    try:
        signature = inspect.signature(function)
    except ValueError:  # a class of a compiled library
        return
    parameters = signature.parameters.values()
    if not any(p.kind is p.VAR_KEYWORD for p in parameters):
        known = [p.name for p in parameters if p.kind is not p.VAR_POSITIONAL]
        for given in params:
            if given not in known:
                raise UnknownName(f"parameter of {name}", given, known)
    is_variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    without_default = [p for p in parameters if p.default is p.empty and p.kind not in is_variadic]
    missing = [p.name for p in without_default if p.name not in params]
    if missing:
        raise ConfigError(f"{name} needs a value for {', '.join(missing)}. Add it to the params.")
    if isinstance(function, type):  # it checks its values itself
        return
    try:
        hints = get_type_hints(function)
    except Exception:  # an annotation that only a type checker understands
        return
    for given, value in params.items():
        if given in hints:
            _check_type(value, hints[given], f"{name}: {given}")


def _check_type(value: object, hint: Any, what: str) -> None:
    from pydantic import PydanticUserError, TypeAdapter, ValidationError

    try:
        TypeAdapter(hint).validate_json(json.dumps(value), strict=True)
    except PydanticUserError:  # not an annotation of plain data
        return
    except ValidationError as e:
        expected = hint.__name__ if isinstance(hint, type) else str(hint).removesuffix(" | None")
        raise ConfigError(f"{what}: expected {expected}, got {value!r}.") from e
