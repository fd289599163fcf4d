"""rehearse: make a bundle out of any competition whose data is on disk, by holding out labelled rows with its own split rule."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..competition import FACTS, Competition, Images
from ..exceptions import DataError
from ..metrics import get_metric
from ..reading import as_time, need_columns, parse_csv, values_of
from ..reading.images import ends_of, find_images, named
from ..reading.labels import columns_of_classes
from .csv_rows import read_rows, write_rows
from .hidden_rows import hide_rows

Array = np.ndarray[Any, Any]


def rehearse(
    comp: Competition,
    path: str | Path,  # the competition's data, with labelled training rows
    dest: str | Path,  # folder of bundles; the bundle goes to dest/<slug>
    *,
    seed: int = 42,
    holdout: float = 0.3,  # share of the labelled rows that become the test rows
    public: float = 0.5,  # share of those on the public leaderboard
) -> Path:
    """Make a sandbox bundle and return its folder. The competition's real test rows are not used.

    Held out by the competition's split: at random, by class, whole groups, or the latest rows; Kaggle does it alike. Of a code competition
    few of the test rows are to be seen: its notebook meets all of them when it runs again. Cells are copied as they are written. Raises DataError.
    """
    path, folder = Path(path), Path(dest) / comp.slug
    train = read_rows(path / comp.train)
    split_column = tuple(filter(None, [comp.split.column]))
    need_columns(
        train,
        {"id": (comp.id,), "target": comp.target, "[split] column": split_column},
        path / comp.train,
        comp.facts_file,
    )
    train = train[(train[list(comp.target)] != "").all(axis=1)].reset_index(drop=True)
    if comp.task == "regression":
        values_of(train, comp.target, path / comp.train)
    held = _held_out(comp, train, path, holdout, seed)
    if not 0 < held.sum() < len(train):
        raise DataError(
            f"{path / comp.train} has {len(train)} labelled rows, too few to hold out {holdout:.0%} by a {comp.split.kind} split."
        )
    rest, test = train[~held].reset_index(drop=True), train[held].reset_index(drop=True)
    if (twice := test[comp.id].duplicated()).any():
        raise DataError(
            f'{comp.facts_file}: id = "{comp.id}": {path / comp.train} has {test[comp.id][twice].iloc[0]!r} more than once among the rows held '
            "out, and a submission is joined by id. Name the column that tells every row apart."
        )
    files = folder / "files"
    files.mkdir(parents=True, exist_ok=True)
    write_rows(rest, files / comp.train)
    asked = (
        read_rows(path / comp.test).columns
        if (path / comp.test).exists()
        else [c for c in train.columns if c not in comp.target]
    )
    write_rows(
        test[[c for c in train.columns if c in asked and c not in comp.target]], files / comp.test
    )
    write_rows(_sample(comp, path, rest, test), files / comp.sample_submission)
    is_public = np.random.default_rng(seed + 1).permutation(len(test)) < public * len(test)
    solution = test[[comp.id, *comp.target]].assign(Usage=np.where(is_public, "Public", "Private"))
    write_rows(solution, folder / "solution.csv")
    (folder / FACTS).write_text(_facts(comp), encoding="utf-8")
    if comp.kind == "images":
        _link_images(comp, path, files, rest, test)
    if comp.code_competition:
        hide_rows(comp, folder, seed=seed + 2)
    return folder


def _held_out(comp: Competition, train: pd.DataFrame, path: Path, share: float, seed: int) -> Array:
    "Mask of the rows to hold out."
    rng, n, kind = np.random.default_rng(seed), len(train), comp.split.kind
    if kind == "time":
        when = as_time(
            train[comp.split.column].replace("", np.nan), path / comp.train, comp.facts_file
        )
        return np.asarray(when > np.sort(when)[max(0, round(n * (1 - share)) - 1)])
    if kind.endswith("group"):
        _, group, sizes = np.unique(
            train[comp.split.column].to_numpy(), return_inverse=True, return_counts=True
        )
        order = rng.permutation(len(sizes))
        return np.isin(
            group, order[: max(1, int(np.searchsorted(np.cumsum(sizes[order]), share * n) + 1))]
        )
    strata = (
        train[comp.target[0]].to_numpy()
        if kind == "stratified" and comp.task != "regression"
        else np.zeros(n)
    )
    held = np.zeros(n, dtype=bool)
    for stratum in np.unique(strata):
        rows = rng.permutation(np.flatnonzero(strata == stratum))
        held[rows[: round(share * len(rows))]] = True
    return held


def _sample(comp: Competition, path: Path, rest: pd.DataFrame, test: pd.DataFrame) -> pd.DataFrame:
    "The same constant answer for every row, learned from the rest, in the columns of the competition's own sample."
    own = path / comp.sample_submission
    labels = rest[comp.target[0]]
    wants = "label" if comp.metric not in _named() else get_metric(comp.metric).wants
    classes = sorted({*labels, *test[comp.target[0]]}) if wants == "probability" else []
    columns = (
        list(parse_csv(own, nrows=0).columns[1:])
        if own.exists()
        else classes
        if comp.task == "multiclass" and classes
        else list(comp.target)
    )
    if comp.task == "regression":
        means = values_of(rest, comp.target, path / comp.train).mean()
        answers = {c: _number(means[c] if c in means else means.iloc[0]) for c in columns}
    elif wants == "probability" and len(columns) > 1:
        class_of = dict(zip(columns_of_classes(classes, columns) or classes, classes, strict=True))
        answers = {c: _number((labels == class_of.get(c, c)).mean()) for c in columns}
    elif wants == "probability":
        answers = {columns[0]: _number((labels == sorted(labels.unique())[-1]).mean())}
    else:
        common = (
            labels.value_counts(sort=True)
            .sort_index()
            .sort_values(ascending=False, kind="stable")
            .index
        )
        answers = {
            columns[0]: " ".join(common[: get_metric(comp.metric).k])
            if wants == "ranking"
            else common[0]
        }
    return pd.DataFrame(
        {comp.id: test[comp.id], **{c: [v] * len(test) for c, v in answers.items()}}
    )


def _named() -> set[str]:
    from ..metrics import ALIASES, METRICS

    return {*METRICS, *ALIASES}


def _number(value: float) -> str:
    return f"{value:.6f}"


def _facts(comp: Competition) -> str:
    "The competition's own facts, with the rules accepted and no deadline."
    if comp.folder is None or not (comp.folder / FACTS).exists():
        raise DataError(
            f"{comp.slug} was not read from a folder, so there is no {FACTS} to put into the bundle."
        )
    text = (comp.folder / FACTS).read_text(encoding="utf-8")
    return (
        re.sub(r"(?ms)^\[sandbox\]\n.*?(?=^\[|\Z)", "", text).rstrip()
        + "\n\n[sandbox]\nrules_accepted = true\n"
    )


def _link_images(
    comp: Competition, path: Path, files: Path, rest: pd.DataFrame, test: pd.DataFrame
) -> None:
    "Put each row's image where a competitor finds it. Held-out ones lie flat, unless test rows tell their folder, so that none tells the label."
    where = comp.images or Images()
    folder = path / where.train_folder
    told = test[
        [c for c in parse_csv(files / comp.test, nrows=0) if c in test and c not in comp.target]
    ]  # a test file may be the sample, with the target
    found = {
        part: find_images(rows, folder, id=comp.id, name=where.name)
        for part, rows in (("rest", rest), ("test", test))
    }
    if not any(file for sources in found.values() for file in sources):
        raise DataError(
            f"No image of {comp.id} = {rest[comp.id].iloc[0]!r}, nor of any other row, is in {folder}. "
            f"Check train_folder and name in [images] of {comp.facts_file}."
        )
    for source in found["rest"]:
        if source is not None:  # a row without an image stays so: the reader tells
            _copy(source, files / source.relative_to(path))
    for source, wanted in zip(found["test"], named(told, id=comp.id, name=where.name), strict=True):
        if source is not None:
            inside = source.relative_to(folder)
            is_told = not {inside.as_posix(), inside.with_suffix("").as_posix()}.isdisjoint(
                ends_of(wanted)
            )
            _copy(source, files / where.test_folder / (inside if is_told else source.name))


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, target)
