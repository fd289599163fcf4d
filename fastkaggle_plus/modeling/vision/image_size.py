"""Sizes and batches of an image model that cannot be, refused before any image is read."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral

import numpy as np

from ...exceptions import ConfigError
from ..hyperparameters import check_whole

LEAST_BS = 2  # images a batch: batch normalisation takes their mean

__all__ = ["LEAST_BS", "as_size", "check_batches"]


def as_size(size: int | Sequence[int]) -> tuple[int, int]:
    "Return (height, width) of a size in pixels; one number is a square. Raises ConfigError."
    sides = tuple(size) if np.iterable(size) and not isinstance(size, str) else (size, size)
    if len(sides) != 2 or not all(isinstance(s, Integral) and int(s) >= 1 for s in sides):
        raise ConfigError(
            f"An image size is one whole number of pixels, or (height, width), and {size!r} came."
        )
    return int(sides[0]), int(sides[1])


def check_batches(bs: int, accum: int) -> None:
    "Raise ConfigError where a step has too few images for so many batches: batch normalisation needs two in each."
    check_whole(LEAST_BS, bs=bs)
    check_whole(1, accum=accum)
    if bs // accum < LEAST_BS:
        raise ConfigError(
            f"bs = {bs} images in accum = {accum} batches is fewer than two images a batch. Give a larger bs, or accum = {bs // 2} at most."
        )
