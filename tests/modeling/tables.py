"""Tables and data for the tests of models."""

from __future__ import annotations

import numpy as np
import pandas as pd

from fastkaggle_plus.data import Data, Table, as_features

CAT, CONT = ("color", "shape"), ("size", "weight")
COLORS, SHAPES = ("red", "green", "blue"), ("round", "flat")


def frame(n: int, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    """Return features and a hidden quantity that color and size decide; shape and weight are noise. A tenth of each column is missing."""
    rng = np.random.default_rng(seed)
    x = pd.DataFrame(
        {
            "color": rng.choice(COLORS, n),
            "shape": rng.choice(SHAPES, n),
            "size": rng.normal(size=n),
            "weight": rng.normal(10, 5, n),
        }
    )
    hidden = x["size"].to_numpy() * 2 + (x["color"] == "red").to_numpy() * 3
    for c in x:
        x[c] = x[c].mask(rng.random(n) < 0.1)
    return x, hidden


def targets(hidden: np.ndarray, task: str) -> tuple[np.ndarray, tuple]:
    """Return (targs, vocab) of an easy problem of this kind."""
    if task == "binary":
        return (hidden > 1).astype(int), ("no", "yes")
    if task == "multiclass":
        return np.digitize(hidden, [0, 2.5]), ("a", "b", "c")
    return (
        (hidden, ()) if task == "regression" else (np.column_stack([hidden, 100 - 10 * hidden]), ())
    )


def make_table(
    task: str = "binary",
    *,
    n: int = 240,
    seed: int = 0,
    cat: tuple[str, ...] = CAT,
    cont: tuple[str, ...] = CONT,
) -> Table:
    """Return an easy problem: task binary, multiclass, regression, or values for two targets a row."""
    x, hidden = frame(n, seed)
    targs, vocab = targets(hidden, task)
    levels = pd.DataFrame({"color": [*COLORS], "shape": [*SHAPES, "flat"]})
    return Table(
        as_features(x, levels, cat, ()).assign(**x[list(cont)]),
        targs,
        cat,
        cont,
        "regression" if task == "values" else task,
        vocab,
    )


def blind(table: Table) -> Table:
    """Return the table without its targets, as a test table is."""
    return Table(table.x, None, table.cat_names, table.cont_names, table.task, table.vocab)


def make_data(
    task: str = "binary", *, n: int = 240, n_test: int = 40, metric: str = "", in_fold=None
) -> Data:
    """Return the easy problem as Data."""
    whole = make_table(task, n=n + n_test)
    train, test = whole.take(np.arange(n)), blind(whole.take(np.arange(n, n + n_test)))
    test_ids = np.arange(1000, 1000 + n_test)
    sample = pd.DataFrame({"id": test_ids, "y": 0})
    return Data(
        train, test, np.arange(n), test_ids, sample, train.x, test.x, in_fold=in_fold, metric=metric
    )
