"""Infer the settings of a competition from its files: id, target, task, metric, split, images."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from ..exceptions import ConfigError, listed
from .columns import column_kind, read_dates
from .csv import read_csv
from .image_files import images_below
from .images import image_names
from .labels import columns_of_classes
from .text import text_columns

FEW_CLASSES = 20  # whole numbers with more distinct values are values, not classes


def infer_competition(
    folder: Path,
    given: Mapping[str, Any],  # settings that are known, and not inferred
) -> dict[str, Any]:
    """Return the settings that can be inferred from the files in `folder`.

    Raises ConfigError without a train file, or when the id or target cannot be inferred.
    """
    if not folder.is_dir():
        raise ConfigError(f"{folder} is not a folder. Give the one with the competition's files.")
    files = _files(folder, given)
    train, test = read_csv(folder / files["train"]), read_csv(folder / files["test"])
    sample_file = folder / files["sample_submission"]
    sample = read_csv(sample_file) if sample_file.exists() else None
    id = given.get("id") or _id(train, test, sample)
    target = given.get("target") or _target(train, test, sample, id)
    target = (target,) if isinstance(target, str) else tuple(target)
    if unknown := [c for c in (id, *target) if c not in train and c not in test]:
        raise ConfigError(
            f"{folder / files['train']} has no column {unknown[0]!r}; its columns: "
            f"{listed(train.columns)}."
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
    suffixes = (".csv", ".csv.gz", ".csv.zip")
    there = sorted(p.name for p in folder.glob("*.csv*") if p.name.endswith(suffixes))

    def pick(key: str, pattern: str) -> str:
        names = [n for n in (f"{key}.csv", *there) if n in there and re.search(pattern, n, re.I)]
        return given.get(key) or next(iter(names), "")

    train = pick("train", "train")
    sample = pick("sample_submission", "sample|submission")
    test = pick("test", r"^(?!.*(sample|submission)).*test") or sample
    if not train or not (folder / train).exists():
        raise ConfigError(
            f"{folder} holds no train file: its csv files are {listed(there)}. Give its name with "
            "--train (train=...), or download the competition's files there first."
        )
    if not test:
        raise ConfigError(
            f"{folder} holds neither a test file nor a sample submission: its csv files are "
            f"{listed(there)}. Give its name with --test (test=...)."
        )
    return {"train": train, "test": test, "sample_submission": sample or "sample_submission.csv"}


def _id(train: pd.DataFrame, test: pd.DataFrame, sample: pd.DataFrame | None) -> str:
    if sample is not None:
        return str(sample.columns[0])
    for c in [c for c in test.columns if c in train]:
        is_unique = test[c].is_unique and train[c].is_unique
        if is_unique and column_kind(c, test[c], "") in ("id", "number", "category"):
            return str(c)
    raise ConfigError(
        f"Cannot infer the id: no column of the test file looks like one: {listed(test.columns)}. "
        "Name it with --id (id=...)."
    )


def _target(
    train: pd.DataFrame, test: pd.DataFrame, sample: pd.DataFrame | None, id: str
) -> tuple[str, ...]:
    only_train = tuple(c for c in train.columns if c not in test.columns and c != id)
    if sample is not None:
        answers = [c for c in sample.columns if c != id]
        if answers and all(c in train for c in answers):
            return tuple(answers)
        if classes := [c for c in only_train if _are_classes(train[c], answers)]:
            return tuple(classes[:1])
    if len(only_train) == 1:
        return only_train
    raise ConfigError(
        f"Cannot infer the target: the columns that only the train file has are "
        f"{listed(only_train)}. Name it with --target (target=...)."
    )


def _task(train: pd.DataFrame, target: tuple[str, ...], sample: pd.DataFrame | None) -> str:
    if len(target) > 1:
        return "regression"
    values = train[target[0]].dropna()
    if values.nunique() == 2:
        return "binary"
    if not pd.api.types.is_numeric_dtype(values):
        return "multiclass"
    answers = [] if sample is None else list(sample.columns[1:])
    are_whole = bool((values % 1 == 0).all()) and values.nunique() <= FEW_CLASSES
    has_codes = are_whole and not any(_has_fractions(sample, c) for c in answers)
    return "multiclass" if has_codes or _are_classes(values, answers) else "regression"


def _are_classes(values: pd.Series, answers: list[str]) -> bool:
    """Say whether the sample has an answer column for each distinct value."""
    distinct = values.dropna().unique().tolist()
    if len(distinct) != len(answers) or len(answers) < 2:
        return False
    return columns_of_classes(distinct, answers) is not None


def _metric(task: str, n_targets: int, sample: pd.DataFrame | None) -> str:
    if task == "regression":
        return "mean_columnwise_rmse" if n_targets > 1 else "rmse"
    if task == "multiclass":
        return "log_loss" if sample is not None and len(sample.columns) > 2 else "accuracy"
    has_probabilities = sample is not None and _has_fractions(sample, sample.columns[-1])
    return "auc" if has_probabilities else "accuracy"


def _has_fractions(sample: pd.DataFrame | None, column: str) -> bool:
    if sample is None or column not in sample or not pd.api.types.is_numeric_dtype(sample[column]):
        return False
    return bool((sample[column].dropna() % 1 != 0).any())


def _time_column(train: pd.DataFrame, test: pd.DataFrame, id: str, target: tuple[str, ...]) -> str:
    """Return the date column in which every test row is later than the training rows, or ""."""
    for c in [c for c in train.columns if c in test and c not in (id, *target)]:
        if column_kind(c, train[c], id) == "date":
            if read_dates(test[c], like=train[c]).min() >= read_dates(train[c]).max():
                return str(c)
    return ""


def _images(folder: Path, train: pd.DataFrame, id: str) -> dict[str, str]:
    """Return train_folder, test_folder and the name template of the images."""
    parents = {parent for file in images_below(folder) for parent in file.parents}
    having = sorted(d for d in parents if d.is_relative_to(folder) and d != folder)
    tops = [d for d in having if d.parent not in having]
    only = tops[0] if len(tops) == 1 else None
    train_folder = next((d for d in having if "train" in d.name.lower()), only)
    test_folder = next((d for d in having if "test" in d.name.lower()), only)
    if train_folder is None:
        raise ConfigError(
            f"{folder} contains no folder of training images. Folders with images: "
            f"{listed(d.name for d in having)}. Write the folder without --data and fill in its "
            '[images], or give images={"train_folder": ..., ...} to new_comp.'
        )
    if train.empty:
        raise ConfigError(
            f"The train file in {folder} has no rows, so the names of its images cannot be "
            "inferred. Download the competition's files again."
        )
    files = {f.relative_to(train_folder).as_posix() for f in images_below(train_folder)}
    starts = ["", *(f"{{{c}}}/" for c in train.columns if c != id)]
    suffixes = ["", *sorted({Path(f).suffix for f in files})]
    names = [f"{start}{{id}}{suffix}" for start in starts for suffix in suffixes]
    row = train[:1]
    return {
        "train_folder": train_folder.relative_to(folder).as_posix(),
        "test_folder": (test_folder or train_folder).relative_to(folder).as_posix(),
        "name": next((n for n in names if image_names(row, id=id, name=n)[0] in files), "{id}"),
    }


def _text(
    train: pd.DataFrame, test: pd.DataFrame, id: str, target: tuple[str, ...]
) -> dict[str, Any]:
    columns = text_columns(train, test, id=id, target=target)
    if not columns:
        raise ConfigError(
            f"No column looks like text: {listed(train.columns)}. Write the folder without --data "
            'and fill in its [text], or give text={"columns": [...]} to new_comp.'
        )
    shared = [c for c in train.columns if c in test and c not in (*columns, id, *target)]
    categories = [c for c in shared if column_kind(c, train[c], id) == "category"]
    return {"columns": list(columns), "context": categories[0] if len(categories) == 1 else ""}
