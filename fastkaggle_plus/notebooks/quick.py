"""The QUICK switch: a slice of the rows and small models, so that a dry run takes a minute."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..competition import Competition

ROWS = 300
SMALL = {"epochs": 1, "n_epochs": 1, "n_estimators": 30, "iterations": 30, "n": 2}   # parameters of models that cost time


def quick_copy(
    comp: Competition,
    path: str | Path,            # the competition's data
    dest: str | Path = "quick",  # folder to make
    *,
    rows: int = ROWS,            # training rows to keep, about; each class keeps a few
    seed: int = 42,
) -> Path:
    "Make a folder that holds a slice of the training rows and links to all other files, and return it; the submission stays whole."
    import pandas as pd

    path, dest = Path(path), Path(dest)
    dest.mkdir(parents=True, exist_ok=True)
    train = pd.read_csv(path / comp.train, dtype=str, keep_default_na=False)
    share = min(1.0, rows / max(len(train), 1))
    shuffled = train.sample(frac=1.0, random_state=seed)
    if comp.task != "regression" and comp.target[0] in train:
        place = shuffled.groupby(comp.target[0]).cumcount()
        size = shuffled.groupby(comp.target[0])[comp.id].transform("size")
        shuffled = shuffled[place < (size * share).clip(lower=5)]
    else:
        shuffled = shuffled.head(rows)
    for entry in path.iterdir():
        link = dest / entry.name
        if entry.name != comp.train and not link.exists():
            link.symlink_to(entry.resolve(), target_is_directory=entry.is_dir())
    shuffled.sort_index().to_csv(dest / comp.train, index=False, lineterminator="\n")
    return dest


def quick_trials(
    trials: Iterable[Any],   # Trial records
) -> tuple[Any, ...]:
    "Return the trials with one epoch, few trees and small bags, where they say how many."
    return tuple(dataclasses.replace(t, params=_smaller(t.params)) for t in trials)


def _smaller(params: dict[str, Any]) -> dict[str, Any]:
    def one(name: str, value: Any) -> Any:
        if isinstance(value, dict):
            return _smaller(value)
        return min(value, SMALL[name]) if name in SMALL and isinstance(value, (int, float)) else value

    return {name: one(name, value) for name, value in params.items()}
