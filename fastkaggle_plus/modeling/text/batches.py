"""Batches of rows of about the same length: little is computed on padding."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..model import Array
from .encoding import Tokens

__all__ = ["in_order", "on_device", "shuffled"]

_WINDOW = 20  # batches whose rows are sorted together: the order of the rows stays random beyond
_MULTIPLE = 8  # lengths on a GPU: its half-precision units take eight numbers at once


def shuffled(lengths: Array, bs: int, rng: np.random.Generator) -> list[Array]:
    "Return the rows in batches of `bs`, or a little less so that all are about equal: random rows, sorted by length within windows of 20 batches."
    order = rng.permutation(len(lengths))
    windows = (order[i : i + _WINDOW * bs] for i in range(0, len(order), _WINDOW * bs))
    order = np.concatenate(
        [window[np.argsort(lengths[window], kind="stable")] for window in windows]
    )
    batches = np.array_split(order, max(1, -(-len(order) // bs)))
    return [batches[i] for i in rng.permutation(len(batches))]


def in_order(lengths: Array, bs: int) -> list[Array]:
    "Return the rows in batches of `bs`, the shortest first."
    order = np.argsort(lengths, kind="stable")
    return [order[i : i + bs] for i in range(0, len(order), bs)]


def on_device(
    tokens: Tokens, batches: list[Array], device: Any
) -> Iterator[tuple[Array, tuple[Any, ...]]]:
    "Yield each batch's rows, and (token numbers, mask, segments) of them on the device."
    import torch

    is_gpu = device.type == "cuda"
    for rows in batches:
        parts = (
            torch.from_numpy(part)
            for part in tokens.padded(rows, multiple=_MULTIPLE if is_gpu else 1)
        )
        yield (
            rows,
            tuple(
                part.pin_memory().to(device, non_blocking=True) if is_gpu else part
                for part in parts
            ),
        )
