"""Pairs of phrases with an easy target, for the tests of text models."""

from __future__ import annotations

import numpy as np
import pandas as pd

from fastkaggle_plus.data import Table

WORDS = np.array(
    "gear lens valve cable pump blade sensor frame motor filter nozzle spring cooling optical hydraulic metal steel glass".split()
)
VERDICTS = (
    "unlike",
    "distant",
    "close",
    "same",
)  # the second phrase ends with the one of its number of shared words
_MOST = 400


def make_phrases(
    task: str = "regression", *, n: int = 160, seed: int = 0, columns: int = 2
) -> Table:
    """Return pairs that share up to three words, or the second phrases alone; task binary, multiclass, regression, or values for two targets a row."""
    rng = np.random.default_rng(seed)
    shared = rng.integers(0, 4, _MOST)[:n]  # fewer rows are the first of more
    firsts, seconds = [], []
    for k in shared:
        words = rng.permutation(WORDS)
        firsts.append(" ".join(words[:3]))
        seconds.append(" ".join([*rng.permutation(words[:3])[:k], *words[3 : 6 - k], VERDICTS[k]]))
    texts = (
        pd.DataFrame({"anchor": firsts, "target": seconds, "more": [""] * n})
        if columns > 1
        else pd.DataFrame({"target": seconds})
    )
    targs, vocab = _targets(shared, task)
    return Table(
        pd.DataFrame(index=range(n)),
        targs,
        (),
        (),
        "regression" if task == "values" else task,
        vocab,
        texts=texts.iloc[:, :columns],
    )


def _targets(shared: np.ndarray, task: str) -> tuple[np.ndarray, tuple]:
    if task == "binary":
        return (shared > 1).astype(int), ("no", "yes")
    if task == "multiclass":
        return np.minimum(shared, 2), ("a", "b", "c")
    return (
        (shared / 3, ())
        if task == "regression"
        else (np.column_stack([shared / 3, 100 - 10.0 * shared]), ())
    )
