"""Clean training rows without changing the data: cleaning.csv lists rows to remove or relabel.

Its columns are file (the image's path inside the data folder, or the row's id), action (remove or
relabel) and label (the new class). It is looked for in the competition's folder, then in the data
folder. To undo a change, delete its row.
"""

import dataclasses
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd

from ..data import CLEANING_FILE, Data
from ..exceptions import DataError, UnknownName, listed
from .csv import parse_csv, quoting_of
from .labels import spelled

KEEP, REMOVE, RELABEL = "keep", "remove", "relabel"
_COLUMNS = ["file", "action", "label"]


class ReadableCompetition(Protocol):
    """The part of a Competition that cleaning needs."""

    @property
    def folder(self) -> Path | None: ...

    def read(self, path: str | Path, *, cleaned: bool = True) -> Data: ...


class _TrainingRows:
    """The training rows by name: an image's path inside the data folder, or an id."""

    def __init__(self, data: Data, path: str | Path):
        self.codes = {spelled(label): code for code, label in enumerate(data.vocab)}
        ids = [str(id) for id in data.ids.tolist()]
        files = data.train.images or [""] * len(ids)
        self.names: list[str] = []
        self.places: dict[str, list[int]] = {}  # name or id -> positions
        for row, (id, file) in enumerate(zip(ids, files, strict=True)):
            self.names.append(Path(os.path.relpath(file, path)).as_posix() if file else id)
            for name in {id, self.names[row]}:
                self.places.setdefault(name, []).append(row)


def apply_cleaning(
    table: pd.DataFrame,  # columns `id` and `action`: "" | keep | remove | the right class
    comp: ReadableCompetition,
    path: str | Path,  # the data folder
) -> pd.DataFrame:
    """Write changes of training rows to cleaning.csv and return the new or changed rows of it.

    `comp.read(path)` then leaves out removed rows and uses the new labels; images and csv files
    stay as they are. Later calls add to the file: the last action of a row wins, `keep` undoes it.
    The file is written to the data folder, or to the competition's folder if it is there already
    or the data folder is read-only. Move it there yourself to use it on another machine.
    Raises UnknownName for an unknown action or class, DataError for unknown or repeated ids.
    """
    actions = _requested_actions(table)
    data = comp.read(path, cleaned=False)
    rows = _TrainingRows(data, path)
    _check(actions, rows)
    before = _read_rows(find_cleaning(path, comp.folder))
    after = dict(before)
    for id, action in actions.items():
        [row] = rows.places[id]
        file = rows.names[row]
        for name in (id, file):  # a handwritten row may use the id of an image
            after.pop(name, None)
        if action == REMOVE:
            after[file] = (REMOVE, "")
        elif action != KEEP and rows.codes[action] != data.targs[row]:
            after[file] = (RELABEL, action)
    if after != before:
        _write_rows(after, path, comp.folder)
    return _as_table({name: change for name, change in after.items() if before.get(name) != change})


def undo_cleaning(
    path: str | Path,  # the folder with cleaning.csv: the data folder or the competition's folder
    *,
    only: Iterable[str] | None = None,  # ids or files to undo; None: everything
) -> pd.DataFrame:
    """Delete cleaning.csv, or some of its rows, and return the deleted rows.

    Raises UnknownName when a name in `only` has no row, DataError when there is no such folder.
    """
    if not Path(path).is_dir():
        raise DataError(f"{path} is not a folder. Give the data folder that was cleaned.")
    file = find_cleaning(path, None)
    rows = _read_rows(file)
    undone = rows if only is None else {n: rows[n] for name in only for n in _matching(name, rows)}
    if file is not None and len(undone) == len(rows):
        file.unlink()
    elif undone:
        _write_rows({n: change for n, change in rows.items() if n not in undone}, path, None)
    return _as_table(undone)


def find_cleaning(path: str | Path, folder: Path | None) -> Path | None:
    """Return the cleaning.csv of the competition's folder or of the data in `path`, if any."""
    files = (Path(place) / CLEANING_FILE for place in (folder, path) if place is not None)
    return next((file for file in files if file.is_file()), None)


def cleaned_data(
    data: Data,
    path: str | Path,  # the data folder
    folder: Path | None,  # the competition's folder
    *,
    target: str,  # the column with the class labels
) -> Data:
    """Return `data` with the changes of cleaning.csv, counted in `left_out`.

    Raises DataError for a wrong line. Lines for unknown rows are only counted if the file is in the
    competition's folder: it is used for parts of the data too, as in a rehearsal.
    """
    file = find_cleaning(path, folder)
    changes = _read_rows(file)
    if file is None or not changes:
        return data
    rows = _TrainingRows(data, path)
    is_for_parts, n_unknown = file.parent != Path(path), 0
    targs, kept = data.targs.copy(), np.ones(len(data.ids), dtype=bool)
    for line, (name, (action, label)) in enumerate(changes.items(), 2):
        if is_for_parts and name not in rows.places:
            n_unknown += 1
            continue
        if problem := _problem(action, label, len(rows.places.get(name, ())), rows.codes):
            raise DataError(f"{file}, line {line} ({name}): {problem} Correct or delete this line.")
        [row] = rows.places[name]
        if action == REMOVE:
            kept[row] = False
        else:
            targs[row] = rows.codes[spelled(label)]
    if not kept.any() or (data.vocab and len(np.unique(targs[kept])) < 2):
        raise DataError(f"{file} removes too much: no rows or only one class would remain.")
    raw = data.raw_train
    if data.vocab and target in raw:
        raw = raw.assign(**{target: [data.vocab[code] for code in targs]})
    train = dataclasses.replace(data.train, targs=targs)
    clean = dataclasses.replace(data, train=train, raw_train=raw).take(np.flatnonzero(kept))
    n_removed = int((~kept).sum())
    n_relabelled = len(changes) - n_unknown - n_removed
    about = f"{n_removed} removed, {n_relabelled} relabelled by {file}"
    if n_unknown:
        about += f"; {n_unknown} of its lines are for rows that this data does not have"
    return dataclasses.replace(clean, left_out={**data.left_out, "training rows": about})


def _requested_actions(table: pd.DataFrame) -> dict[str, str]:
    """Return the action of each id that has one."""
    if missing := [c for c in ("id", "action") if c not in table]:
        raise DataError(
            f"The table has no column {missing[0]!r}; its columns: "
            f"{listed(table.columns)}. Use the table of top_losses, set "
            'table["action"] = "", and then "remove" or the right class in some rows.'
        )
    actions: dict[str, str] = {}
    for id, value in zip(table["id"].tolist(), table["action"].tolist(), strict=True):
        action = "" if pd.isna(value) else spelled(value)
        if action and actions.setdefault(str(id), action) != action:
            raise DataError(
                f"The table has two actions for id {id}: {actions[str(id)]!r} and {action!r}. "
                "Keep one."
            )
    return actions


def _check(actions: Mapping[str, str], rows: _TrainingRows) -> None:
    """Raise for actions and ids that do not fit the data."""
    if reserved := {KEEP, REMOVE} & rows.codes.keys():
        raise DataError(
            f"The data has a class called {reserved.pop()!r}, which is also an action. "
            "Rename the class to clean this competition."
        )
    allowed = [KEEP, REMOVE, *rows.codes]
    if unknown := [action for action in actions.values() if action not in allowed]:
        hint = "An action is empty, keep, remove, or the right class."
        raise UnknownName("action", unknown[0], allowed, hint)
    if missing := [id for id in actions if id not in rows.places]:
        raise DataError(
            f"{len(missing)} ids of the table are not in the training data: "
            f"{listed(missing)}. Was the table made from this competition's data?"
        )
    files = [rows.names[rows.places[id][0]] for id in actions]
    for name in (*actions, *files):
        if (n := len(rows.places[name])) > 1:
            raise DataError(
                f"{name} belongs to {n} training rows, so a single one cannot be changed. "
                "Correct the train csv."
            )


def _problem(action: str, label: str, n_rows: int, codes: Mapping[str, int]) -> str:
    """Return what is wrong with a line of cleaning.csv, "" if nothing is."""
    if action not in (REMOVE, RELABEL):
        return str(UnknownName("action", action, [REMOVE, RELABEL]))
    if n_rows != 1:
        return f"Expected one training row with this file or id, found {n_rows}."
    if action == RELABEL and spelled(label) not in codes:
        return str(UnknownName("label", label, codes))
    return ""


def _matching(name: str, rows: Mapping[str, object]) -> list[str]:
    """Return the rows for this file, or for the images with this name."""
    found = [r for r in rows if str(name) in (r, Path(r).name, Path(r).stem)]
    if not found:
        raise UnknownName("row of cleaning.csv", name, rows)
    return found


def _read_rows(file: Path | None) -> dict[str, tuple[str, str]]:
    """Return file -> (action, label). Raises DataError when cleaning.csv is damaged."""
    if file is None:
        return {}
    try:
        table = parse_csv(file, dtype=str, keep_default_na=False)
    except ValueError as e:
        raise DataError(f"Cannot read {file}: {e}. Correct the file or delete it.") from e
    if list(table.columns) != _COLUMNS:
        raise DataError(
            f"{file} is not a list of cleaned rows: expected the columns {', '.join(_COLUMNS)}; "
            f"got {listed(table.columns)}. Correct the first line or rename the file."
        )
    if len(twice := table["file"][table["file"].duplicated()]):
        raise DataError(
            f"{file}, line {twice.index[0] + 2}: {twice.iloc[0]} is listed twice. Delete one line."
        )
    return {f: (a.strip(), n.strip()) for f, a, n in table.itertuples(index=False)}


def _write_rows(rows: Mapping[str, tuple[str, str]], path: str | Path, folder: Path | None) -> None:
    """Replace cleaning.csv in the first folder that can be written."""
    places = [Path(path), *filter(None, [folder])]
    if folder is not None and (folder / CLEANING_FILE).is_file():
        places = [folder]
    table, reason = _as_table(rows), ""
    for place in places:
        part = place / (CLEANING_FILE + ".part")
        try:
            table.to_csv(part, index=False, lineterminator="\n", quoting=quoting_of(table))
            part.replace(place / CLEANING_FILE)
            return
        except OSError as e:
            reason = f"{e.filename or part}: {e.strerror or e}"
    raise DataError(
        f"Cannot write {reason}. Make the data folder writable, or load the competition from a "
        "folder that you can write to."
    )


def _as_table(rows: Mapping[str, tuple[str, str]]) -> pd.DataFrame:
    return pd.DataFrame([(name, *row) for name, row in rows.items()], columns=_COLUMNS, dtype=str)
