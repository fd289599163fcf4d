"""Seed every random generator for a block of code, and restore all of them afterwards."""

import contextlib
import random
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

    python_state, numpy_state = random.getstate(), np.random.get_state()
    n_threads = torch.get_num_threads()
    torch.set_num_threads(threads or n_threads)
    with torch.random.fork_rng():
        random.seed(int(seed))  # random takes no numpy integer
        np.random.seed(seed % 2**32)
        torch.manual_seed(seed)
        try:
            yield
        finally:
            random.setstate(python_state)
            np.random.set_state(numpy_state)
            torch.set_num_threads(n_threads)
