"""Batches of rows of similar length, for little padding (imports torch)."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from ..model import Array
from .encoding import Tokens

_WINDOW = 20  # batches whose rows are sorted together; beyond that the order stays random
_GPU_MULTIPLE = 8  # lengths on a GPU: its half-precision units process eight numbers at a time


def shuffled(lengths: Array, bs: int, rng: np.random.Generator) -> list[Array]:
    """Return random batches of `bs` rows or slightly less, sorted by length in windows of 20."""
    order = rng.permutation(len(lengths))
    windows = np.split(order, range(_WINDOW * bs, len(order), _WINDOW * bs))
    order = np.concatenate([w[np.argsort(lengths[w], kind="stable")] for w in windows])
    batches = np.array_split(order, max(1, -(-len(order) // bs)))
    return [batches[i] for i in rng.permutation(len(batches))]


def in_order(lengths: Array, bs: int) -> list[Array]:
    """Return the rows in batches of `bs`, the shortest first."""
    order = np.argsort(lengths, kind="stable")
    return [order[i : i + bs] for i in range(0, len(order), bs)]


def on_device(
    tokens: Tokens, batches: list[Array], device: Any
) -> Iterator[tuple[Array, list[Any]]]:
    """Yield each batch's rows, and their [token numbers, mask, segments] on the device."""
    is_gpu = device.type == "cuda"
    for rows in batches:
        arrays = tokens.padded(rows, multiple=_GPU_MULTIPLE if is_gpu else 1)
        inputs = [torch.from_numpy(array) for array in arrays]
        if is_gpu:
            inputs = [part.pin_memory().to(device, non_blocking=True) for part in inputs]
        yield rows, inputs
