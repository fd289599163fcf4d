"""How often the checks of a split call for action on clean data, and find what was planted."""

import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from fastkaggle_plus.data import Data
from fastkaggle_plus.folds import make_folds
from fastkaggle_plus.modeling.split_checks import Finding, check_split
from fastkaggle_plus.reading import read_tabular

from .rates import rate

TASKS = {"binary": "auc", "multiclass": "accuracy", "regression": "rmse"}
IDS = ("counter", "hash", "none")


def clean_frame(rng: np.random.Generator, task: str, n: int) -> pd.DataFrame:
    """Return independent rows of numbers, counts and categories, some missing, and a target `y`."""
    hidden = rng.normal(size=(n, 2))
    columns: dict[str, object] = {}
    for i in range(rng.integers(1, 8)):
        kind = rng.choice(["normal", "skewed", "count", "flag"])
        value = hidden[:, i % 2] + rng.normal(size=n)
        columns[f"x{i}"] = {
            "normal": value,
            "skewed": np.exp(value).round(2),
            "count": rng.poisson(np.exp(value / 2)),
            "flag": (value > rng.normal()).astype(int),
        }[kind]
    for i in range(rng.integers(0, 6)):
        n_levels = int(rng.choice([2, 5, 30, 200]))
        level = (rng.pareto(1.0, n) * 3 + rng.integers(0, 2, n)).astype(int) % n_levels
        if rng.random() < 0.5:
            level = rng.integers(0, n_levels, n)
        columns[f"c{i}"] = [f"level {v}" for v in level]
    frame = pd.DataFrame(columns)
    for c in frame.columns[rng.random(len(frame.columns)) < 0.2]:
        frame[c] = frame[c].where(rng.random(n) > 0.1)
    signal = hidden[:, 0] * rng.choice([0.0, 1.0]) + rng.normal(size=n)
    labels = {"binary": (signal > 0).astype(int), "multiclass": np.digitize(signal, [-1, 0, 1.2])}
    return frame.assign(y=labels.get(task, signal))


def as_data(frame: pd.DataFrame, n_train: int, task: str, ids: str = "counter") -> Data:
    """Return the first `n_train` rows as training rows, and the others as test rows."""
    numbers = np.arange(len(frame)) + 1
    if ids == "hash":
        keys = np.random.default_rng(1).integers(0, 2**40, len(frame))
        frame = frame.assign(row_id=[f"{k:010x}" for k in keys])
    else:
        frame = frame.assign(row_id=numbers)
    with tempfile.TemporaryDirectory() as folder:
        frame[:n_train].to_csv(Path(folder) / "train.csv", index=False)
        frame[n_train:].drop(columns="y").to_csv(Path(folder) / "test.csv", index=False)
        facts = dict(id="row_id", target=("y",), task=task, metric=TASKS[task])
        return read_tabular(folder, **facts)


def clean_findings(rng: np.random.Generator, task: str, ids: str) -> list[Finding]:
    """Return the findings on one clean random table that call for action."""
    n = int(rng.choice([150, 400, 1_000]))
    n_test = int(n * rng.choice([0.25, 0.5, 1.0]))
    data = as_data(clean_frame(rng, task, n + n_test), n, task, ids)
    seed = int(rng.integers(1_000))
    return [f for f in check_split(data, make_folds(data.targs, seed=seed)) if not f.is_note]


def tables(scale: float, rng: np.random.Generator) -> Iterator[tuple[str, list[dict[str, object]]]]:
    """Yield the false-alarm rate of all checks together, by task."""
    n = max(round(100 * scale), 10)
    rows = []
    for task in TASKS:
        alarms, kinds = 0, Counter[str]()
        for i in range(n):
            found = clean_findings(rng, task, IDS[i % 2])
            alarms += bool(found)
            kinds.update(f.kind for f in found)
        shown = ", ".join(f"{k} {v}" for k, v in kinds.most_common())
        rows.append(
            {"task": task, "clean tables": n, "with an alarm": rate(alarms, n), "of": shown}
        )
    yield (
        "Checks of the split: clean tables with a finding that calls for action (at most 5%)",
        rows,
    )
