"""Batches of pixels for fastai's Learner: cut from an array that was decoded once, augmented on the device where the network is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from .augment import Augment

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class Examples:
    "Images with what is to be learned from them."

    pixels: Array  # (n_files, height, width, 3) bytes
    rows: Array  # (n,) places of the images in `pixels`
    targs: Sequence[Array]  # arrays of n targets


class Batches:
    "A loader of shuffled, augmented training batches."

    def __init__(self, examples: Examples, augment: Augment, *, bs: int, device: Any):
        import torch

        taken = np.resize(
            np.arange(len(examples.rows)), max(2, len(examples.rows))
        )  # batch norm needs two
        self.pixels, self.rows, self.augment, self.device = (
            examples.pixels,
            examples.rows[taken],
            augment,
            device,
        )
        self.targs = [torch.from_numpy(t[taken]).to(device) for t in examples.targs]
        self.bs = min(bs, len(taken))

    def __len__(self) -> int:
        return len(self.rows) // self.bs  # the last, smaller batch is left out, as fastai does

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        import torch

        order = torch.randperm(len(self.rows))
        parts = [order[i * self.bs : (i + 1) * self.bs] for i in range(len(self))]
        for part, pixels in zip(
            parts,
            on_device(self.pixels, [self.rows[p.numpy()] for p in parts], self.device),
            strict=True,
        ):
            yield self.augment.random(pixels), *(t[part.to(self.device)] for t in self.targs)


def on_device(pixels: Array, parts: list[Array], device: Any) -> Iterator[Any]:
    "Yield the pixels of each part on the device; a GPU computes on one while the next is read."
    import torch

    is_gpu = device.type == "cuda"

    def read(rows: Array) -> Any:
        batch = torch.from_numpy(pixels[rows])
        return batch.pin_memory() if is_gpu else batch

    if not is_gpu:
        for rows in parts:
            yield read(rows).to(device)
        return
    with ThreadPoolExecutor(1) as reader:
        waiting = reader.submit(read, parts[0]) if parts else None
        for i in range(len(parts)):
            batch = waiting.result()  # type: ignore[union-attr]  # there is one part at least
            waiting = reader.submit(read, parts[i + 1]) if i + 1 < len(parts) else None
            yield batch.to(device, non_blocking=True)
