"""Coverage of 95% intervals of a CV score: the plain one, and that of `cv_interval`.

The truth is the score on new rows of the model that is fitted to all rows, as in Bates, Hastie and
Tibshirani (2024), with few rows for many features.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from fastkaggle_plus.data import Data, Table
from fastkaggle_plus.folds import make_folds
from fastkaggle_plus.metrics import get_metric
from fastkaggle_plus.modeling import cv_interval

from .rates import rate

N_NEW = 20_000


def drawn(metric: str, n: int, n_features: int, rng: np.random.Generator) -> tuple[Data, Table]:
    """Return data whose targets depend on half of the features, and many new rows."""
    columns = tuple(f"c{i}" for i in range(n_features))
    x = pd.DataFrame(rng.normal(size=(n + N_NEW, n_features)), columns=list(columns))
    y = x.iloc[:, ::2].sum(axis=1).to_numpy() / np.sqrt(n_features) + rng.normal(size=len(x))
    task, vocab, targs = "regression", (), y
    if metric == "accuracy":
        task, vocab, targs = "binary", (0, 1), (y > 0).astype(int)
    train, new = (
        Table(x[part].reset_index(drop=True), targs[part], (), columns, task, vocab)
        for part in (slice(n), slice(n, None))
    )
    few, ids = new.take(np.arange(1)), np.array([n])
    sample = pd.DataFrame({"id": ids, "y": 0})
    test = Table(few.x, None, (), columns, task, vocab)
    data = Data(train, test, np.arange(n), ids, sample, train.x, few.x, metric=metric)
    return data, new


def least_squares(table: Table):
    x = np.column_stack([np.ones(len(table)), table.x])
    targs = 2 * table.targs - 1 if table.vocab else table.targs
    weights = np.linalg.lstsq(x, targs, rcond=None)[0]

    def predict(rows: Table) -> np.ndarray:
        values = np.column_stack([np.ones(len(rows)), rows.x]) @ weights
        return np.column_stack([values <= 0, values > 0]) if table.vocab else values

    return predict


def tables(scale: float, rng: np.random.Generator) -> Iterator[tuple[str, list[dict[str, object]]]]:
    """Yield the coverage of both intervals."""
    rows: list[dict[str, object]] = []
    reps = max(round(60 * scale), 3)
    for metric, n, n_features in (("mse", 60, 15), ("mse", 100, 20), ("accuracy", 100, 20)):
        plain, nested, width = 0, 0, []
        for _ in range(reps):
            data, new = drawn(metric, n, n_features, rng)
            found = cv_interval(least_squares, data, make_folds(data.targs), repeats=5)
            whole = np.reshape(least_squares(data.train)(new), (len(new), -1))
            truth = get_metric(metric).score(new.targs, whole)
            nested += found.low < truth < found.high
            plain += abs(found.cv_score - truth) < 1.96 * found.cv_se
            width.append(found.se / found.cv_se)
        rows.append(
            {
                "model": f"least squares, {n} rows x {n_features}",
                "metric": metric,
                "plain CV": rate(plain, reps),
                "cv_interval": rate(nested, reps),
                "times as wide": f"{np.mean(width):.2f}",
            }
        )
    yield "coverage of 95% intervals of a CV score, 5 repeats of 5 folds", rows
