"""rehearse: make a sandbox bundle of a competition by holding out labelled rows."""

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..competition import COMPETITION_FILE, Competition, Images
from ..exceptions import DataError
from ..reading import as_time, check_ids, need_columns, parse_rows, values_of, with_ids
from ..reading.class_folders import FILE
from ..reading.images import find_images, image_names, path_endings
from ..reading.labels import columns_of_classes
from ..reading.row_ids import first_number
from .bundles import answer_kind
from .csv_text import read_text_csv, write_csv
from .hidden_rows import hide_rows


def rehearse(
    comp: Competition,
    path: str | Path,  # the competition's data, with labelled training rows
    dest: str | Path,  # folder of bundles; the bundle is dest/<slug>
    *,
    seed: int = 42,
    holdout: float = 0.3,  # share of the labelled rows that become the test rows
    public: float = 0.5,  # share of those on the public leaderboard
) -> Path:
    """Make a sandbox bundle and return its folder. The competition's real test rows are not used.

    Rows are held out by the competition's split, as Kaggle does it: at random, by class, by whole
    groups, or the latest rows. In a code competition only a few test rows are visible: the
    notebook gets all of them when it runs again. Cells are copied as they are written.
    Raises DataError.
    """
    path, folder = Path(path), Path(dest) / comp.slug
    train, has_ids = _read_train(comp, path)
    held = _choose_rows(comp, train, path, holdout, seed)
    if not 0 < held.sum() < len(train):
        raise DataError(
            f"{path / comp.train} has {len(train)} labelled rows, too few to hold out "
            f"{holdout:.0%} by a {comp.split.kind} split."
        )
    rest, held_out = train[~held].reset_index(drop=True), train[held].reset_index(drop=True)
    if (path / comp.train).is_dir():  # the rows are sorted by class
        held_out = held_out.sample(frac=1, random_state=seed, ignore_index=True)
    test = held_out if has_ids else _with_new_ids(comp, path, held_out)
    files, test_name, sample = folder / "files", comp.test_name(path), comp.sample_submission
    visible = test[_visible_columns(comp, path, test_name, train, has_ids=has_ids)]
    if not (path / comp.train).is_dir():
        columns = [c for c in rest if has_ids or c != comp.id]
        write_csv(rest[columns], files / comp.train, like=path / comp.train)
    if not (comp.kind == "images" and test_name == (comp.images or Images()).test_folder):
        write_csv(visible, files / test_name, like=path / test_name)
    write_csv(_make_sample(comp, path, rest, test), files / sample, like=path / sample)
    is_public = np.random.default_rng(seed + 1).permutation(len(test)) < public * len(test)
    solution = test[[comp.id, *comp.target]].assign(Usage=np.where(is_public, "Public", "Private"))
    write_csv(solution, folder / "solution.csv")
    (folder / COMPETITION_FILE).write_text(_facts(comp), encoding="utf-8")
    if comp.folder and comp.own_metric_file:
        _copy(comp.folder / comp.own_metric_file, folder / comp.own_metric_file)
    if comp.kind == "images":
        copied = _copy_images(comp, path, files, rest=rest)
        names = test[comp.id] if (path / comp.train).is_dir() else None
        copied += _copy_held_out(comp, path, files, held_out, visible=visible, names=names)
        if not copied:
            where = comp.images or Images()
            raise DataError(
                f"No image of {comp.id} = {rest[comp.id].iloc[0]!r}, nor of any other row, is in "
                f"{path / where.train_folder}. Check train_folder and name in [images] of "
                f"{comp.facts_file}."
            )
    if comp.code_competition:
        hide_rows(comp, folder, seed=seed + 2)
    return folder


def _read_train(comp: Competition, path: Path) -> tuple[pd.DataFrame, bool]:
    """Return the labelled training rows, and whether they have ids that held-out rows can keep.

    Numbers are no such ids, nor are the files of class folders, whose names contain the class.
    """
    file = path / comp.train
    train = read_text_csv(file)
    has_ids = comp.id in train and not file.is_dir()
    test, sample = path / comp.test_name(path), path / comp.sample_submission
    answers = read_text_csv(sample) if sample.is_file() else None
    test_rows = read_text_csv(test) if test.exists() else None
    has_reader = comp.folder is not None and (comp.folder / "data.py").exists()
    checked = None if has_reader else test_rows  # it may make one row of several
    check_ids(comp.id, (file, train), test=(test, checked), sample=(sample, answers))
    if file.is_dir():
        train = train.rename(columns={FILE: comp.id})
    elif not has_ids:
        test_rows = answers if test_rows is None else test_rows
        rows = train if test_rows is None else test_rows
        train, _, _ = with_ids(train, rows, comp.id, sample=answers)
    split_column = (comp.split.column,) if comp.split.column else ()
    needed = {"id": (comp.id,), "target": comp.target, "[split] column": split_column}
    need_columns(train, needed, file, comp.facts_file)
    train = train[(train[list(comp.target)] != "").all(axis=1)].reset_index(drop=True)
    if comp.task == "regression":
        values_of(train, comp.target, file)  # raises for a target that is no number
    return train, has_ids


def _with_new_ids(comp: Competition, path: Path, rows: pd.DataFrame) -> pd.DataFrame:
    """Return the held-out rows with new ids: numbers, or numbered files for class folders."""
    n = len(rows)
    if (path / comp.train).is_dir():
        suffixes = [Path(file).suffix for file in rows[comp.id]]
        names = [f"{i:0{len(str(n))}}{suffix}" for i, suffix in enumerate(suffixes, 1)]
        return rows.assign(**{comp.id: names})
    sample = path / comp.sample_submission
    first = first_number(read_text_csv(sample) if sample.is_file() else None, comp.id)
    return rows.assign(**{comp.id: [str(i) for i in range(first, first + n)]})


def _visible_columns(
    comp: Competition, path: Path, test_name: str, train: pd.DataFrame, *, has_ids: bool
) -> list[str]:
    """Return the columns of the bundle's test file: those of the real one, else all features."""
    features = [c for c in train.columns if c not in comp.target]
    if (path / test_name).is_dir():
        return [comp.id] if has_ids else []
    if not (path / test_name).exists():
        return [c for c in features if has_ids or c != comp.id]
    given = read_text_csv(path / test_name).columns
    return [c for c in features if c in given]


def _choose_rows(
    comp: Competition, train: pd.DataFrame, path: Path, share: float, seed: int
) -> Any:
    """Return a mask of the rows to hold out."""
    rng, n, kind = np.random.default_rng(seed), len(train), comp.split.kind
    if kind == "time":
        column = train[comp.split.column].replace("", np.nan)
        when = as_time(column, path / comp.train, comp.facts_file)
        return np.asarray(when > np.sort(when)[max(0, round(n * (1 - share)) - 1)])
    if kind.endswith("group"):
        groups = train[comp.split.column].to_numpy()
        _, group, sizes = np.unique(groups, return_inverse=True, return_counts=True)
        order = rng.permutation(len(sizes))
        n_groups = int(np.searchsorted(np.cumsum(sizes[order]), share * n) + 1)
        return np.isin(group, order[: max(1, n_groups)])
    is_stratified = kind == "stratified" and comp.task != "regression"
    strata = train[comp.target[0]].to_numpy() if is_stratified else np.zeros(n)
    held = np.zeros(n, dtype=bool)
    for stratum in np.unique(strata):
        rows = rng.permutation(np.flatnonzero(strata == stratum))
        held[rows[: round(share * len(rows))]] = True
    return held


def _make_sample(
    comp: Competition, path: Path, rest: pd.DataFrame, test: pd.DataFrame
) -> pd.DataFrame:
    """Return the same answer for every row, in the columns of the competition's own sample."""
    labels, kind = rest[comp.target[0]], answer_kind(comp)
    classes = sorted({*labels, *test[comp.target[0]]}) if kind == "probability" else []
    columns = list(comp.target)
    if (own := path / comp.sample_submission).exists():
        columns = list(parse_rows(own, nrows=0).columns[1:])
    elif comp.task == "multiclass" and classes:
        columns = classes
    if comp.task == "regression":
        means = values_of(rest, comp.target, path / comp.train).mean()
        answers = {c: _number(means[c] if c in means else means.iloc[0]) for c in columns}
    elif kind == "probability" and len(columns) > 1:
        class_of = dict(zip(columns_of_classes(classes, columns) or classes, classes, strict=True))
        answers = {c: _number((labels == class_of.get(c, c)).mean()) for c in columns}
    elif kind == "probability":
        answers = {columns[0]: _number((labels == labels.max()).mean())}
    else:
        counts = labels.value_counts().sort_index()
        common = counts.sort_values(ascending=False, kind="stable").index
        n_labels = comp.scoring.k if kind == "ranking" else 1
        answers = {columns[0]: " ".join(common[:n_labels])}
    return test[[comp.id]].assign(**answers)


def _number(value: float) -> str:
    return f"{value:.6f}"


def _facts(comp: Competition) -> str:
    """Return the competition.toml of the bundle: the rules are accepted, there is no deadline."""
    if comp.folder is None or not (comp.folder / COMPETITION_FILE).exists():
        raise DataError(
            f"{comp.slug} was not read from a folder, so there is no {COMPETITION_FILE} for the "
            "bundle. Read the competition from its folder."
        )
    text = (comp.folder / COMPETITION_FILE).read_text(encoding="utf-8")
    without_sandbox = re.sub(r"(?ms)^\[sandbox\]\n.*?(?=^\[|\Z)", "", text).rstrip()
    return without_sandbox + "\n\n[sandbox]\nrules_accepted = true\n"


def _copy_images(comp: Competition, path: Path, files: Path, *, rest: pd.DataFrame) -> int:
    """Copy the image of each training row that stays; return how many there are."""
    where = comp.images or Images()
    found = find_images(rest, path / where.train_folder, id=comp.id, name=where.name)
    images = [source for source in found if source is not None]  # the reader reports missing ones
    for source in images:
        _copy(source, files / source.relative_to(path))
    return len(images)


def _copy_held_out(
    comp: Competition,
    path: Path,  # the competition's data
    files: Path,  # the bundle's files/
    rows: pd.DataFrame,  # held-out rows
    *,
    visible: pd.DataFrame,  # what the test file shows of them
    names: pd.Series | None,  # new names of the images; None: they keep theirs
) -> int:
    """Copy the images of held-out rows to where a competitor looks for them; return how many.

    A folder name can be the label, so the images go into one flat folder. Their own folder is kept
    only if the test file names it.
    """
    where, copied = comp.images or Images(), 0
    folder = path / where.train_folder
    sources = find_images(rows, folder, id=comp.id, name=where.name)
    if names is None:
        seen = visible if comp.id in visible else rows[[comp.id]]
        shown = image_names(seen, id=comp.id, name=where.name)
    else:
        shown = names.tolist()
    for source, name in zip(sources, shown, strict=True):
        if source is None:
            continue
        inside = source.relative_to(folder)
        spellings = {inside.as_posix(), inside.with_suffix("").as_posix()}
        is_named = not spellings.isdisjoint(path_endings(name))
        target = name if names is not None else inside if is_named else source.name
        _copy(source, files / where.test_folder / target)
        copied += 1
    return copied


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, target)
