"""Seed every random generator for a block of code, and restore all of them afterwards."""

import contextlib
import random
import sys
from collections.abc import Iterator

import numpy as np


@contextlib.contextmanager
def repeatable(
    seed: int,
    *,
    threads: int | None = 1,  # sums on several threads differ in their last bits; None: all threads
) -> Iterator[None]:
    """Seed python, numpy and torch for the block, and set torch's threads; then restore all."""
    import torch

    n_threads = torch.get_num_threads()
    torch.set_num_threads(threads or n_threads)
    try:
        with seeded(seed):
            yield
    finally:
        torch.set_num_threads(n_threads)


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed python, numpy, and torch if it is imported, for the block; then restore them."""
    python_state, numpy_state = random.getstate(), np.random.get_state()
    torch = sys.modules.get("torch")
    gpus = [torch.cuda.current_device()] if torch and torch.cuda.is_available() else None
    with torch.random.fork_rng(gpus) if torch else contextlib.nullcontext():
        random.seed(int(seed))  # random takes no numpy integer
        np.random.seed(seed % 2**32)
        if torch:
            torch.manual_seed(seed)
        try:
            yield
        finally:
            random.setstate(python_state)
            np.random.set_state(numpy_state)
