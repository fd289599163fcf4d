"""A table with planted truths: what each column is worth is known."""

import numpy as np
import pandas as pd

from fastkaggle_plus.data import Data, Table, as_features
from fastkaggle_plus.folds import make_folds

CAT = ("kind", "kind_name")
CONT = ("main", "copy", "noise", "left", "right", "day")


def planted(task: str = "regression", *, n: int = 700, n_test: int = 150, metric: str = "") -> Data:
    """Return rows where:

    - `main` and `copy` (its cube) say the same, and so do `kind` and `kind_name` (other names);
    - `noise` says nothing, and `kind` a little;
    - `left` and `right` only count as a product;
    - `day` grows from the first training row to the last test row, and drives the target a little.
    """
    rng, rows = np.random.default_rng(5), n + n_test
    kind = rng.choice(["b", "a", "c"], rows, p=[0.5, 0.2, 0.3])
    x = pd.DataFrame(
        {
            "kind": kind,
            "kind_name": pd.Series(kind).map({"a": "oak", "b": "yew", "c": "elm"}),
            "main": rng.normal(size=rows),
            "noise": rng.normal(size=rows),
            "left": rng.choice([-1.0, 1.0], rows) * rng.uniform(0.5, 1.5, rows),
            "right": rng.choice([-1.0, 1.0], rows) * rng.uniform(0.5, 1.5, rows),
            "day": np.arange(rows, dtype=float),
        }
    ).assign(copy=lambda x: x["main"] ** 3)
    y = 2 * x["main"] + 2 * np.sign(x["left"] * x["right"]) + (kind == "b") + 2 * x["day"] / rows
    y = (y + rng.normal(0, 0.3, rows)).to_numpy()
    vocab: tuple = ()
    if task == "binary":
        y, vocab = (y > np.median(y)).astype(int), ("low", "high")
    elif task == "multiclass":
        y, vocab = np.digitize(y, np.quantile(y, [1 / 3, 2 / 3])), ("low", "middle", "high")
    elif metric == "rmsle":
        y = np.exp(y / 4)
    whole = Table(as_features(x, x, CAT, CONT), y, CAT, CONT, task, vocab)
    train, test = whole.take(np.arange(n)), whole.take(np.arange(n, rows))
    sample = pd.DataFrame({"id": test.x.index + n, "price": 0.0})
    blind = Table(test.x, None, CAT, CONT, task, vocab)
    ids = np.arange(rows)
    raw, raw_test = x.iloc[:n], x.iloc[n:].reset_index(drop=True)
    return Data(train, blind, ids[:n], ids[n:], sample, raw, raw_test, metric=metric)


def three_folds(data: Data):
    return make_folds(data.targs, n_folds=3, seed=1)
