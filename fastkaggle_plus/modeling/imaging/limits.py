"""Numbers of an image model that cannot be, refused with their name before any image is read."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Integral, Real

import numpy as np

from ...exceptions import ConfigError

LEAST_BS = 2   # images a batch: batch normalisation takes their mean

__all__ = ["LEAST_BS", "as_size", "check_batches", "check_range", "check_whole"]


def as_size(size: int | Sequence[int]) -> tuple[int, int]:
    "Return (height, width) of a size in pixels; one number is a square. Raises ConfigError."
    sides = tuple(size) if np.iterable(size) and not isinstance(size, str) else (size, size)
    if len(sides) != 2 or not all(isinstance(s, Integral) and int(s) >= 1 for s in sides):
        raise ConfigError(f"An image size is one whole number of pixels, or (height, width), and {size!r} came.")
    return int(sides[0]), int(sides[1])


def check_whole(
    lowest: int,
    **given: object,   # name = value
) -> None:
    "Raise ConfigError for what is no whole number, or below the lowest that is allowed."
    for name, value in given.items():
        if not isinstance(value, Integral) or int(value) < lowest:
            raise ConfigError(f"{name} = {value!r}: a whole number of {lowest} or more is needed.")


def check_range(
    lowest: float,
    highest: float = math.inf,
    **given: object,   # name = value
) -> None:
    "Raise ConfigError for what is no number, or out of range."
    for name, value in given.items():
        if not isinstance(value, Real) or not lowest <= float(value) <= highest or math.isinf(value):
            allowed = f"of {lowest:g} or more" if math.isinf(highest) else f"from {lowest:g} to {highest:g}"
            raise ConfigError(f"{name} = {value!r}: a number {allowed} is needed.")


def check_batches(bs: int, accum: int) -> None:
    "Raise ConfigError where a step has too few images for so many batches: batch normalisation needs two in each."
    check_whole(LEAST_BS, bs=bs)
    check_whole(1, accum=accum)
    if bs // accum < LEAST_BS:
        raise ConfigError(f"bs = {bs} images in accum = {accum} batches is fewer than two images a batch. Give a larger bs, or accum = {bs // 2} at most.")
