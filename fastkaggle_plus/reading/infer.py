"""What the files of a competition tell about it: file names, id, target, task, a metric, the split, where images are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..exceptions import ConfigError
from .columns import column_kind, read_dates
from .image_files import SUFFIXES
from .labels import columns_of_classes

if TYPE_CHECKING:
    import pandas as pd

FEW_CLASSES = 20  # whole numbers with more distinct values are values, not classes


def infer_competition(
    folder: Path,
    given: Mapping[str, Any],  # what is known already, and not asked of the files
) -> dict[str, Any]:
    """Return the facts that the files in `folder` tell. Raises ConfigError when there is no train file, or no id or target to be seen."""
    from .csv import read_csv

    if not folder.is_dir():
        raise ConfigError(
            f"{folder} is not a folder. Give the one with the competition's csv files."
        )
    files = _files(folder, given)
    train, test = read_csv(folder / files["train"]), read_csv(folder / files["test"])
    sample = (
        read_csv(folder / files["sample_submission"])
        if (folder / files["sample_submission"]).exists()
        else None
    )
    id = given.get("id") or _id(train, test, sample)
    target = _names(given.get("target") or _target(train, test, sample, id))
    if unknown := [c for c in (id, *target) if c not in train and c not in test]:
        raise ConfigError(
            f"{folder / files['train']} has no column {unknown[0]!r}; its columns: {', '.join(map(str, train.columns))}."
        )
    task = given.get("task") or _task(train, target, sample)
    found = {
        **files,
        "id": id,
        "target": target[0] if len(target) == 1 else list(target),
        "task": task,
        "metric": given.get("metric") or _metric(task, len(target), sample),
        "split": {"kind": "random" if task == "regression" else "stratified"},
    }
    if column := _time_column(train, test, id, target):
        found["split"] = {"kind": "time", "column": column}
    if given["kind"] == "images":
        found["images"] = _images(folder, read_csv(folder / files["train"], as_written=(id,)), id)
    if given["kind"] == "text":
        found["text"] = _text(train, test, id, target)
    return found


def _files(folder: Path, given: Mapping[str, Any]) -> dict[str, str]:
    there = sorted(
        p.name for p in folder.glob("*.csv*") if p.name.endswith((".csv", ".csv.gz", ".csv.zip"))
    )

    def pick(key: str, pattern: str) -> str:
        return given.get(key) or next(
            (n for n in (f"{key}.csv", *there) if n in there and re.search(pattern, n, re.I)), ""
        )

    train = pick("train", "train")
    sample = pick("sample_submission", "sample|submission")
    test = pick("test", r"^(?!.*(sample|submission)).*test") or sample
    if not train or not (folder / train).exists():
        raise ConfigError(
            f"{folder} holds no train file: its csv files are {', '.join(there) or 'none'}. Give its name with --train (train=...), "
            "or download the competition's files there first."
        )
    if not test:
        raise ConfigError(
            f"{folder} holds neither a test file nor a sample submission: its csv files are {', '.join(there)}. "
            "Give its name with --test (test=...)."
        )
    return {"train": train, "test": test, "sample_submission": sample or "sample_submission.csv"}


def _id(train: pd.DataFrame, test: pd.DataFrame, sample: pd.DataFrame | None) -> str:
    if sample is not None:
        return str(sample.columns[0])
    for c in test.columns:
        if (
            c in train
            and test[c].is_unique
            and train[c].is_unique
            and column_kind(c, test[c], "") in ("id", "number", "category")
        ):
            return str(c)
    raise ConfigError(
        f"No column of the test file looks like an id: {', '.join(map(str, test.columns))}. Say which with --id (id=...)."
    )


def _target(
    train: pd.DataFrame, test: pd.DataFrame, sample: pd.DataFrame | None, id: str
) -> tuple[str, ...]:
    only = tuple(c for c in train.columns if c not in test.columns and c != id)
    if sample is not None:
        answers = [c for c in sample.columns if c != id]
        if answers and all(c in train for c in answers):
            return tuple(answers)
        if classes := [c for c in only if _are_classes(train[c], answers)]:
            return tuple(classes[:1])
    if len(only) == 1:
        return only
    raise ConfigError(
        f"The target is not to be seen: columns of the train file alone are {', '.join(only) or 'none'}. Say which with --target (target=...)."
    )


def _task(train: pd.DataFrame, target: tuple[str, ...], sample: pd.DataFrame | None) -> str:
    import pandas as pd

    if len(target) > 1:
        return "regression"
    values = train[target[0]].dropna()
    if values.nunique() == 2:
        return "binary"
    if not pd.api.types.is_numeric_dtype(values):
        return "multiclass"
    answers = [] if sample is None else list(sample.columns[1:])
    whole = (
        bool((values % 1 == 0).all())
        and values.nunique() <= FEW_CLASSES
        and not any(_has_fractions(sample, c) for c in answers)
    )
    return "multiclass" if whole or _are_classes(values, answers) else "regression"


def _are_classes(values: pd.Series, answers: list[str]) -> bool:
    """Say whether the sample has an answer column for each distinct value."""
    distinct = values.dropna().unique()
    return (
        len(distinct) == len(answers) > 1
        and columns_of_classes(distinct.tolist(), answers) is not None
    )


def _metric(task: str, n_targets: int, sample: pd.DataFrame | None) -> str:
    if task == "regression":
        return "mean_columnwise_rmse" if n_targets > 1 else "rmse"
    if task == "multiclass":
        return "log_loss" if sample is not None and len(sample.columns) > 2 else "accuracy"
    return (
        "auc" if sample is not None and _has_fractions(sample, sample.columns[-1]) else "accuracy"
    )


def _has_fractions(sample: pd.DataFrame | None, column: str) -> bool:
    import pandas as pd

    if sample is None or column not in sample or not pd.api.types.is_numeric_dtype(sample[column]):
        return False
    return bool((sample[column].dropna() % 1 != 0).any())


def _time_column(train: pd.DataFrame, test: pd.DataFrame, id: str, target: tuple[str, ...]) -> str:
    """The date column along which every test row comes after the training rows, if there is one."""
    for c in train.columns:
        if c in test and c != id and c not in target and column_kind(c, train[c], id) == "date":
            if read_dates(test[c], like=train[c]).min() >= read_dates(train[c]).max():
                return str(c)
    return ""


def _images(folder: Path, train: pd.DataFrame, id: str) -> dict[str, str]:
    from .images import named

    having = [
        d
        for d in sorted(folder.rglob("*"))
        if d.is_dir() and any(f.suffix.lower() in SUFFIXES for f in d.rglob("*"))
    ]
    tops = [d for d in having if d.parent not in having]
    only = tops[0] if len(tops) == 1 else None
    within = {
        which: next((d for d in having if which in d.name.lower()), only)
        for which in ("train", "test")
    }
    if within["train"] is None:
        raise ConfigError(
            f"{folder} holds no folder of training images; folders with images: {', '.join(d.name for d in having) or 'none'}. "
            'Write the folder without --data and fill in its [images], or give images={"train_folder": ..., ...} to new_comp.'
        )
    if train.empty:
        raise ConfigError(
            f"The train file in {folder} has no rows, so nothing tells how its images are named. Download the competition's files again."
        )
    first = train[:1]
    files = {
        f.relative_to(within["train"]).as_posix()
        for f in within["train"].rglob("*")
        if f.suffix.lower() in SUFFIXES
    }
    labels = [c for c in train.columns if c != id]
    suffixes = ["", *sorted({Path(f).suffix for f in files})]
    names = [
        f"{where}{{id}}{suffix}"
        for where in ("", *(f"{{{c}}}/" for c in labels))
        for suffix in suffixes
    ]
    name = next((n for n in names if named(first, id=id, name=n)[0] in files), "{id}")
    where = {
        f"{which}_folder": (d or within["train"]).relative_to(folder).as_posix()
        for which, d in within.items()
    }
    return {**where, "name": name}


def _text(
    train: pd.DataFrame, test: pd.DataFrame, id: str, target: tuple[str, ...]
) -> dict[str, Any]:
    from .text import text_columns

    columns = text_columns(train, test, id=id, target=target)
    if not columns:
        raise ConfigError(
            f"No column looks like text: {', '.join(map(str, train.columns))}. "
            'Write the folder without --data and fill in its [text], or give text={"columns": [...]} to new_comp.'
        )
    others = [
        c
        for c in train.columns
        if c in test
        and c not in (*columns, id, *target)
        and column_kind(c, train[c], id) == "category"
    ]
    return {"columns": list(columns), "context": others[0] if len(others) == 1 else ""}


def _names(target: Any) -> tuple[str, ...]:
    return (target,) if isinstance(target, str) else tuple(target)
