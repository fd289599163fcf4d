"""The journal of a cleaning, written before anything moves: from it alone every file and the train csv find their place again."""

from __future__ import annotations

import csv
import errno
import filecmp
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from filelock import FileLock

from ..exceptions import DataError
from .csv import parse_csv, quoting_of

JOURNAL = "cleaning.csv"
KEPT = ".orig"  # after the name of the train csv: the copy of it as it was
_NAMES = {"start": "from", "end": "to"}


@dataclass(frozen=True)
class Step:
    """One row of the journal. Paths are relative to the data folder; "" for a row without an image."""

    action: str  # original (the copy of the train csv) | remove | relabel | undo
    id: str
    file: str  # where the image was in its folder at first
    start: str  # "from" in the journal
    end: str  # "to" in the journal
    label_before: str
    label_after: str  # "" where the row is removed
    date: str  # ISO, UTC


def read_steps(folder: Path) -> list[Step]:
    """Return the steps of a data folder, oldest first; raise DataError when its journal is damaged."""
    file = folder / JOURNAL
    if not file.exists():
        return []
    try:
        with file.open(newline="", encoding="utf-8") as f:
            return [
                Step(
                    **{
                        n: _cell(row, _NAMES.get(n, n))
                        for n in (field.name for field in fields(Step))
                    }
                )
                for row in csv.DictReader(f)
            ]
    except (KeyError, UnicodeError, csv.Error) as e:
        raise DataError(
            f"{file} does not read as the journal of a cleaning ({type(e).__name__}: {e}). Put it back as it was, or take it away "
            f"together with the {KEPT} file beside it to start afresh from the data as it is now."
        ) from e


def _cell(row: dict[str, Any], column: str) -> str:
    if not isinstance(row[column], str):
        raise csv.Error("a row is cut short")
    return str(row[column])


def as_rows(steps: Sequence[Step]) -> list[dict[str, str]]:
    """Return steps under the names of the journal's columns."""
    return [{_NAMES.get(k, k): v for k, v in asdict(step).items()} for step in steps]


def write_steps(folder: Path, steps: Sequence[Step]) -> None:
    """Write the whole journal at once."""
    part = folder / (JOURNAL + ".part")
    with part.open("w", newline="", encoding="utf-8") as f:
        writer = csv.DictWriter(
            f, [_NAMES.get(name.name, name.name) for name in fields(Step)], lineterminator="\n"
        )
        writer.writeheader()
        writer.writerows(as_rows(steps))
    os.replace(part, folder / JOURNAL)


def changed_files(folder: Path) -> set[str]:
    """Return the files of a data folder that cleaning moved or rewrote, as paths in it; none where the file of that name is no journal."""
    try:
        return {step.start for step in read_steps(folder)}
    except DataError:
        return set()


def last_steps(steps: Sequence[Step]) -> dict[str, Step]:
    """Return each id's last step."""
    return {step.id: step for step in steps if step.action != "original"}


def settle(
    folder: Path,
    steps: Sequence[Step],
    *,
    id: str = "",  # columns of the train csv; "" where every step is undone
    target: str = "",
) -> None:
    """Bring files and train csv to the state that the steps say, whatever part of it is done. Raises DataError."""
    for step in steps:
        if step.action == "original":
            _keep(folder / step.start, folder / step.end)
    places: dict[str, list[str]] = {}
    for step in steps:
        if step.action != "original" and step.end:
            places.setdefault(step.id, [step.start]).append(step.end)
    for *earlier, last in places.values():
        for place in dict.fromkeys(reversed(earlier)):
            if place != last and (folder / place).exists():
                _move(folder / place, folder / last)
    for step in steps:
        if step.action == "original":
            _rewrite(folder / step.start, folder / step.end, last_steps(steps), id, target)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep other processes from cleaning the same folder, and say in words what the disk refuses."""
    try:
        with FileLock(folder / f".{JOURNAL}.lock"):
            yield
    except OSError as e:
        raise DataError(
            f"Cannot write {e.filename or folder}: {e.strerror or e}. Cleaning moves files of the data folder: make it writable, or clean a copy. "
            "What was begun goes on with the next call."
        ) from e


def _keep(file: Path, kept: Path) -> None:
    if not kept.exists():
        part = kept.with_name(kept.name + ".part")
        shutil.copy2(file, part)
        os.replace(part, kept)


def _move(source: Path, target: Path) -> None:
    """Move a file, never over another; a target of the same bytes is what a killed move between two disks left."""
    if target.exists():
        if not filecmp.cmp(source, target, shallow=False):
            raise DataError(
                f"{source} belongs to {target}, and another file is there. Move one of the two away and call again."
            )
        source.unlink()
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.rename(source, target)
    except OSError as e:
        if e.errno != errno.EXDEV:
            raise
        part = target.with_name(target.name + ".part")
        shutil.copy2(source, part)
        os.replace(part, target)
        source.unlink()


def _rewrite(file: Path, kept: Path, last: dict[str, Step], id: str, target: str) -> None:
    """Write the kept original without removed rows and with the new labels, where the file does not hold that yet."""
    changes = {step.id: step for step in last.values() if step.action != "undo"}
    content = _changed(kept, changes, id, target) if changes else kept.read_bytes()
    if file.exists() and file.read_bytes() == content:
        return
    part = file.with_name(file.name + ".part")
    part.write_bytes(content)
    os.replace(part, file)


def _changed(kept: Path, changes: dict[str, Step], id: str, target: str) -> bytes:
    rows = read_text_rows(kept)
    rows = rows[~rows[id].isin([i for i, step in changes.items() if step.action == "remove"])]
    labels = {i: step.label_after for i, step in changes.items() if step.action == "relabel"}
    if labels:
        rows = rows.assign(**{target: rows[id].map(labels).fillna(rows[target])})
    return str(rows.to_csv(index=False, lineterminator="\n", quoting=quoting_of(rows))).encode()


def read_text_rows(file: Path) -> Any:
    """Return a csv with every cell as it is written."""
    return parse_csv(file, dtype=str, keep_default_na=False)
