"""Infer the settings of a competition from its files: id, target, task, metric, split, images."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from ..exceptions import ConfigError, listed
from .class_folders import FILE, LABEL
from .columns import column_kind, read_dates
from .group_columns import group_candidates
from .infer_files import describe_class_folders, find_files, image_folders, test_folder_in
from .infer_id import infer_id
from .labels import columns_of_classes
from .row_ids import ROW, check_ids, with_ids
from .rows import read_rows
from .text import text_columns

FEW_CLASSES = 20  # whole numbers with more distinct values are values, not classes
_TARGET_NAMES = ("target", "label", "class", "y")  # if there are no test rows to compare with


@dataclass(frozen=True)
class Inferred:
    """Settings for a competition.toml, and why each was chosen."""

    settings: dict[str, Any] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)

    def add(self, key: str, value: Any, why: str) -> Any:
        """Note a setting with its reason, and return it."""
        self.settings[key], self.reasons[key] = value, why
        return value


def infer_competition(
    folder: Path,
    given: Mapping[str, Any],  # settings that are known, and not inferred
) -> Inferred:
    """Return the settings that can be inferred from the files in `folder`.

    Raises ConfigError without training rows, or when the target cannot be inferred.
    """
    if not folder.is_dir():
        raise ConfigError(f"{folder} is not a folder. Give the one with the competition's files.")
    files, found = find_files(folder, given), Inferred()
    train = read_rows(folder / files["train"])
    test = _read_if_there(folder / files["test"])
    sample = _read_if_there(folder / files["sample_submission"])
    _add_files(found, folder, files, train=train, test=test, sample=sample)
    visible = train if test is None else test
    if (folder / files["train"]).is_dir():  # class folders
        name = str(sample.columns[0]) if sample is not None else FILE
        id = found.add("id", given.get("id") or name, "the name of the image's file")
    else:
        listed_test = None if (folder / files["test"]).is_dir() else test
        id = given.get("id") or found.add("id", *infer_id(train, listed_test, sample))
    paths = {key: folder / name for key, name in files.items()}
    check_ids(
        id,
        (paths["train"], train),
        test=(paths["test"], test),
        sample=(paths["sample_submission"], sample),
    )
    rows, test_rows, _ = with_ids(train, visible, id, sample=sample)
    target = given.get("target") or found.add("target", *_target(train, test, sample, id))
    target = (target,) if isinstance(target, str) else tuple(target)
    if unknown := [c for c in (id, *target) if c not in rows and c not in visible and c != ROW]:
        raise ConfigError(
            f"{folder / files['train']} has no column {unknown[0]!r}; its columns: "
            f"{listed(train.columns)}."
        )
    if absent := [c for c in target if c not in rows]:
        raise ConfigError(f"The target {absent[0]!r} is only in the test file. Give --target.")
    task = given.get("task") or found.add("task", *_task(rows, target, sample))
    if "metric" not in given:
        found.add("metric", *_metric(task, len(target), sample))
    if "split" not in given:
        known = (id, *target)
        found.add("split", *_split(rows, test_rows, known, task, has_test=test is not None))
    if given["kind"] == "images":
        _add_images(found, folder, files, id)
    if given["kind"] == "text":
        found.add("text", _text(train, visible, id, target), "columns of mostly several words")
    return found


def _read_if_there(file: Path) -> pd.DataFrame | None:
    return read_rows(file) if file.exists() else None


def _add_files(
    found: Inferred,
    folder: Path,
    files: dict[str, str],
    *,
    train: pd.DataFrame,
    test: pd.DataFrame | None,
    sample: pd.DataFrame | None,
) -> None:
    about = f"{len(train)} rows, {len(train.columns)} columns"
    if (folder / files["train"]).is_dir():
        about = describe_class_folders(folder / files["train"])
    found.add("train", files["train"], about)
    without = "not there: a rehearsal holds out labelled rows"
    found.add("test", files["test"], without if test is None else f"{len(test)} rows")
    without = "not there: made of the test ids and the target"
    about = without if sample is None else f"{len(sample)} rows, columns {listed(sample.columns)}"
    found.add("sample_submission", files["sample_submission"], about)


def _target(
    train: pd.DataFrame, test: pd.DataFrame | None, sample: pd.DataFrame | None, id: str
) -> tuple[Any, str]:
    if LABEL in train and set(train.columns) <= {FILE, LABEL}:
        return LABEL, "the folder of the image"
    only_train = [c for c in train.columns if test is not None and c not in test and c != id]
    if sample is not None:
        answers = [c for c in sample.columns if c != id]
        spelling = {str(c).lower(): c for c in reversed(train.columns)}
        same = [c if c in train else spelling.get(str(c).lower(), "") for c in answers]
        if answers and all(same):
            return _one_or_all(same), f"the answers in the sample submission: {listed(answers)}"
        if classes := [c for c in only_train if _are_classes(train[c], answers)]:
            return classes[0], "the sample submission has a column for each of its classes"
    if len(only_train) == 1:
        return only_train[0], "the only column that the test rows lack"
    candidates = only_train or list(train.columns)
    named = [c for c in candidates if str(c).lower() in _TARGET_NAMES]
    if len(named) == 1:
        return named[0], "its name"
    where = "that only the train file has" if only_train else "of the train file"
    raise ConfigError(
        f"Cannot infer the target: the columns {where} are {listed(candidates, 40)}. Name it with "
        "--target (target=...)."
    )


def _one_or_all(columns: list[Any]) -> Any:
    return columns[0] if len(columns) == 1 else columns


def _task(
    train: pd.DataFrame, target: tuple[str, ...], sample: pd.DataFrame | None
) -> tuple[str, str]:
    if len(target) > 1:
        return "regression", f"{len(target)} targets"
    values = train[target[0]].dropna()
    n = values.nunique()
    if n == 2:
        return "binary", f"two values: {listed(sorted(map(str, values.unique())))}"
    if not pd.api.types.is_numeric_dtype(values):
        return "multiclass", f"{n} classes"
    answers = [] if sample is None else list(sample.columns[1:])
    if _are_classes(values, answers):
        return "multiclass", f"{n} classes, each with a column in the sample submission"
    are_whole = bool((values % 1 == 0).all()) and n <= FEW_CLASSES
    if are_whole and not any(_has_fractions(sample, c) for c in answers):
        return "multiclass", f"{n} whole numbers; for amounts or grades: --task regression"
    return "regression", f"{n} different numbers"


def _are_classes(values: pd.Series, answers: list[str]) -> bool:
    """Say whether the sample has an answer column for each distinct value."""
    distinct = values.dropna().unique().tolist()
    if len(distinct) != len(answers) or len(answers) < 2:
        return False
    return columns_of_classes(distinct, answers) is not None


def _metric(task: str, n_targets: int, sample: pd.DataFrame | None) -> tuple[str, str]:
    check = "check the competition's page, --metric NAME"
    if task == "regression":
        return ("mean_columnwise_rmse" if n_targets > 1 else "rmse"), f"usual for numbers; {check}"
    if task == "multiclass" and sample is not None and len(sample.columns) > 2:
        return "log_loss", f"the sample submission has a probability for each class; {check}"
    if task == "binary" and sample is not None and _has_fractions(sample, sample.columns[-1]):
        return "auc", f"the sample submission has probabilities; {check}"
    return "accuracy", f"usual for labels; {check}"


def _has_fractions(sample: pd.DataFrame | None, column: str) -> bool:
    if sample is None or column not in sample or not pd.api.types.is_numeric_dtype(sample[column]):
        return False
    return bool((sample[column].dropna() % 1 != 0).any())


def _split(
    train: pd.DataFrame, test: pd.DataFrame, known: tuple[str, ...], task: str, *, has_test: bool
) -> tuple[dict[str, str], str]:
    kind = {"kind": "random" if task == "regression" else "stratified"}
    if not has_test:
        return kind, "no test rows to compare with"
    if column := _time_column(train, test, known):
        why = f"all test rows are later than the training rows, by {column}"
        return {"kind": "time", "column": column}, why
    if groups := group_candidates(train, test, known=known):
        why = f"but if rows of one {groups[0]} belong together: --split group:{groups[0]}"
        return kind, why
    return kind, "no column shows that test rows are later or belong to other groups"


def _time_column(train: pd.DataFrame, test: pd.DataFrame, known: tuple[str, ...]) -> str:
    """Return the date column in which every test row is later than the training rows, or ""."""
    for c in [c for c in train.columns if c in test and c not in known]:
        if column_kind(c, train[c], known[0]) == "date":
            if read_dates(test[c], like=train[c]).min() >= read_dates(train[c]).max():
                return str(c)
    return ""


def _add_images(found: Inferred, folder: Path, files: dict[str, str], id: str) -> None:
    if (folder / files["train"]).is_dir():
        where = {"train_folder": files["train"], "test_folder": test_folder_in(folder) or "test"}
        found.settings["images"] = {**where, "name": "{id}"}
        return
    images = image_folders(folder, read_rows(folder / files["train"], as_written=(id,)), id)
    found.add("images", images, "where the image of the first row is")


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
