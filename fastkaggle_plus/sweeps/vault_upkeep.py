"""Keep vaults in order: merge two of them, check every file, find what no run needs."""

import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..exceptions import DataError
from .spool import read_result, store_result
from .stored_run import StoredRun, read_runs
from .vault import STALE_S, Vault, content_hash


@dataclass(frozen=True)
class Damage:
    """A file of a vault that is missing or damaged."""

    file: Path
    what: str

    def __str__(self) -> str:
        return f"{self.file}: {self.what}"


@dataclass(frozen=True)
class Merged:
    """The result of a merge."""

    taken: list[StoredRun] = field(default_factory=list)
    known: list[StoredRun] = field(default_factory=list)  # the vault had them already
    refused: list[Damage] = field(default_factory=list)  # their runs were not taken


@dataclass(frozen=True)
class Garbage:
    """Files or rows of one kind that no run needs."""

    what: str
    files: tuple[Path, ...] = ()
    keys: tuple[str, ...] = ()  # of failed runs
    size: int = 0  # bytes


def merge_vault(
    vault: Vault,
    other: str | Path,  # folder of another vault, or its parent; it may be read-only
    *,
    slug: str = "",  # only the runs of this competition
) -> Merged:
    """Take the runs of another vault, and result files that its driver has not stored yet.

    A run that both vaults have is kept once, with the newer date. A second merge takes nothing.
    Raises DataError if there is no vault.
    """
    folder, merged = find_folder(other), Merged()
    own = {run.key: run for run in runs_in(vault.folder)}
    for run in runs_in(folder):
        if not slug or run.slug == slug:
            _merge_run(vault, own.get(run.key), run, folder, merged)
    for file in _result_files(folder):
        try:
            if not slug or read_result(file)[1] == slug:
                merged.taken.extend(store_result(file, vault))
        except DataError as e:
            merged.refused.append(Damage(file, str(e)))
    return merged


def check_vault(vault: Vault) -> list[Damage]:
    """Return the damaged and missing files of a vault: each content must match its hash."""
    with vault.database() as db:
        texts = [row[0] for row in db.execute("pragma integrity_check")]
    found = [Damage(vault.folder / "vault.db", text) for text in texts if text != "ok"]
    owners: dict[Path, list[str]] = {}
    for run in vault.runs():
        if run.predictions:
            owners.setdefault(vault.file(run.predictions), []).append(run.trial)
    for file in sorted({*owners, *(vault.folder / "predictions").glob("*.npz")}):
        if why := _damage(file):
            of = f" (of {', '.join(owners[file])}: run it again)" if file in owners else ""
            found.append(Damage(file, why + of))
    results = ((file, _damage(file)) for file in _result_files(vault.folder))
    return found + [Damage(file, why) for file, why in results if why]


def find_garbage(vault: Vault) -> list[Garbage]:
    """Return what no run needs: files older than an hour, failed runs whose trial ran again."""
    runs, predictions = vault.runs(), vault.folder / "predictions"
    named = {run.predictions for run in runs}
    files = {
        "predictions that no run names": [
            f for f in predictions.glob("*.npz") if f.stem not in named
        ],
        "unfinished files": [*predictions.glob(".*.part"), *vault.spool.glob(".*.part")],
        "damaged result files": [f for f in _result_files(vault.folder) if _damage(f)],
    }
    found = [_garbage(what, paths) for what, paths in files.items()]
    ran_again, newest = [], set()
    for run in runs:
        if (run.slug, run.trial) in newest and run.status == "error":
            ran_again.append(run)
        newest.add((run.slug, run.trial))
    size = sum(len(run.error) for run in ran_again)
    keys = tuple(run.key for run in ran_again)
    found.append(Garbage("failed runs whose trial ran again", keys=keys, size=size))
    return [garbage for garbage in found if garbage.files or garbage.keys]


def remove_garbage(vault: Vault, garbage: list[Garbage]) -> None:
    """Remove what `find_garbage` returned, except what a run has needed since then."""
    current = {file for found in find_garbage(vault) for file in found.files}
    for found in garbage:
        for file in current.intersection(found.files):
            file.unlink(missing_ok=True)
        vault.delete(found.keys)


def find_folder(other: str | Path) -> Path:
    """Return the folder of a vault, given it or its parent. Raises DataError."""
    for folder in (Path(other), Path(other) / "vault"):
        if (folder / "vault.db").is_file() or any(_result_files(folder)):
            return folder
    raise DataError(
        f"{other} has no vault: expected a folder with a vault.db, as runs/SLUG/vault, "
        "or with result files of workers."
    )


def slugs_in(folder: Path) -> list[str]:
    """Return the competitions whose runs a vault has, also in result files."""
    slugs = {run.slug for run in runs_in(folder)}
    slugs |= {read_result(file)[1] for file in _result_files(folder) if not _damage(file)}
    return sorted(slugs)


def runs_in(folder: Path) -> list[StoredRun]:
    """Return the runs of a vault that is only read, newest first."""
    from sqlite_utils import Database  # imported here because it is slow to import

    if not (folder / "vault.db").is_file():
        return []
    how = "mode=ro" if os.access(folder, os.W_OK) else "immutable=1"  # as on a read-only disk
    uri = f"{(folder / 'vault.db').resolve().as_uri()}?{how}"
    with closing(sqlite3.connect(uri, uri=True)) as connection:
        return read_runs(Database(connection))


def _merge_run(
    vault: Vault, own: StoredRun | None, run: StoredRun, folder: Path, merged: Merged
) -> None:
    """Take one run, or the newer date for the one that the vault has."""
    if own and own.predictions and not _damage(vault.file(own.predictions)):
        merged.known.append(own)
        if run.status == own.status and run.date > own.date:
            vault.write(replace(own, date=run.date))
        return
    if run.predictions:
        file = folder / "predictions" / f"{run.predictions}.npz"
        if why := _damage(file):
            merged.refused.append(Damage(file, f"{why}; the run of {run.trial} is not taken"))
            return
        part = vault.folder / "predictions" / f".{run.key}.{os.getpid()}.part"
        shutil.copyfile(file, part)
        part.replace(vault.file(run.predictions))
    elif own and (own.predictions or own.date >= run.date):
        merged.known.append(own)
        return
    merged.taken.append(vault.write(run))


def _result_files(folder: Path) -> Iterator[Path]:
    yield from sorted(folder.glob("*.zip"))
    yield from sorted(folder.glob("spool/*.zip"))


def _damage(file: Path) -> str:
    """Return what is wrong with a file whose name ends with the hash of its content; or ""."""
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        return "is missing"
    if content_hash(content) != file.stem.rpartition("-")[2]:
        return "is damaged: its content does not match the hash in its name"
    return ""


def _garbage(what: str, files: list[Path]) -> Garbage:
    old = {f: f.stat() for f in files if time.time() - f.stat().st_mtime > STALE_S}
    return Garbage(what, tuple(old), size=sum(stat.st_size for stat in old.values()))
