"""Training batches: pixels that are decoded already, augmented on the device (imports torch)."""

import math
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import torch

from ..fastai_learner import ShuffledBatches
from ..model import Array
from .augment import Augment


@dataclass(frozen=True, eq=False)
class Examples:
    """Images with their targets."""

    pixels: Array  # (n_files, height, width, 3) bytes
    rows: Array  # (n,) places of the images in `pixels`
    targs: Sequence[Array]  # arrays of n targets

    def take(self, positions: Array) -> "Examples":
        """Return some of the images."""
        return Examples(self.pixels, self.rows[positions], [t[positions] for t in self.targs])


class Batches(ShuffledBatches):
    """A loader for fastai's Learner: augmented batches, or the whole images to validate on."""

    def __init__(
        self,
        examples: Examples,
        augment: Augment,
        *,
        bs: int,
        device: Any,
        is_random: bool = True,  # False: all images in their order, without augmentation
    ):
        super().__init__(len(examples.rows), bs)
        self.is_random, self.view = is_random, augment.random if is_random else augment.plain
        self.pixels, self.places = examples.pixels, examples.rows[self.rows]
        self.targs = [torch.from_numpy(t[self.rows]).to(device) for t in examples.targs]
        self.device = device

    def __len__(self) -> int:
        return super().__len__() if self.is_random else math.ceil(len(self.rows) / self.bs)

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        in_order = torch.arange(len(self.rows)).split(self.bs)
        parts = self.shuffled() if self.is_random else list(in_order)
        images = [self.places[part.numpy()] for part in parts]
        batches = on_device(self.pixels, images, self.device)
        for part, pixels in zip(parts, batches, strict=True):
            yield self.view(pixels), *(t[part.to(self.device)] for t in self.targs)


def on_device(pixels: Array, parts: list[Array], device: Any) -> Iterator[Any]:
    """Yield the pixels of each part on the device. With a GPU, the next part is read in advance."""
    if device.type != "cuda":
        for rows in parts:
            yield torch.from_numpy(pixels[rows]).to(device)
        return
    with ThreadPoolExecutor(1) as reader:
        waiting: deque[Any] = deque()
        for rows in parts:
            waiting.append(reader.submit(_pinned, pixels, rows))
            if len(waiting) == 2:
                yield waiting.popleft().result().to(device, non_blocking=True)
        for last in waiting:
            yield last.result().to(device, non_blocking=True)


def _pinned(pixels: Array, rows: Array) -> Any:
    return torch.from_numpy(pixels[rows]).pin_memory()
