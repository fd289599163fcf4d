"""False positives and power of `compare` for two fixed models of equal skill."""

from collections.abc import Iterator

import numpy as np

from fastkaggle_plus import compare
from tests.making import make_values

from .rates import rate


def tables(scale: float, rng: np.random.Generator) -> Iterator[tuple[str, list[dict[str, object]]]]:
    n, hits = round(100 * scale), 0
    for _ in range(n):
        a, b = (make_values(c, metric="rmse", seed=int(rng.integers(2**31))) for c in "ab")
        hits += not compare(a, b).is_noise
    yield "placeholder", [{"metric": "rmse", "false positives": rate(hits, n)}]
