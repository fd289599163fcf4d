"""Cache of arrays made from files, on disk: shared by processes, checked for changes and damage."""

import contextlib
import hashlib
import json
import os
import shutil
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

from ..data import Array
from ..environment import home
from ..exceptions import DataError, UnreadableImage
from ..ui import show_progress

_KEPT_S = 30 * 24 * 3600  # without use
_SPARE_BYTES = 64 << 20  # left free on the disk
_BLOCK_BYTES = 16 << 20  # has one checksum
_NOT_AN_ENTRY = (OSError, ValueError, KeyError, TypeError)  # raised by a damaged entry

_is_off: ContextVar[bool] = ContextVar("is_off", default=False)

Make = Callable[[str], Array]
Fill = Callable[[Array], list[tuple[int, str]]]  # writes all rows; returns the unreadable, and why


@contextlib.contextmanager
def nothing_cached() -> Iterator[None]:
    """Compute everything in this block, without reading or writing a file of the cache."""
    token = _is_off.set(True)
    try:
        yield
    finally:
        _is_off.reset(token)


def cached_array(
    name: str,  # what the rows are: the start of the file's name
    files: Sequence[str],  # paths; "" for a row without a file
    make: Make,  # file -> its row; may raise UnreadableImage
    *,
    recipe: object,  # whatever else the rows depend on, compared by `repr`
    row: tuple[int, ...],  # shape of a row
    dtype: str,
    blank: float = 0,  # fills the row of "" and of unreadable files
    folder: str | Path | None = None,  # default: FKP_HOME/cache/NAME
) -> tuple[Array, dict[str, str]]:
    """Return the rows of files, read-only and mapped from disk, and why some are not readable.

    An entry is valid for these files with their sizes and times of change. If several processes
    need it at once, one makes it and the others wait. It is written under another name and then
    renamed, so a kill leaves nothing that would be used. Unreadable files are tried again each
    time. Making an entry removes those that were not used for 30 days or whose first file is gone.
    Raises DataError when the folder cannot be written, or its disk has too little room.
    """

    def fill(array: Array) -> list[tuple[int, str]]:
        return _fill(array, files, make, blank)

    key = recipe, (len(files), *row), dtype, blank
    return _cached(name, files, fill, key=key, folder=folder, retry=make)


def cached_batches(
    name: str,
    files: Sequence[str],
    fill: Callable[[Array], object],  # writes the rows of all files into the array it gets
    *,
    recipe: object,  # with the files that are not readable, if `fill` leaves them out
    row: tuple[int, ...],
    dtype: str,
    folder: str | Path | None = None,
) -> Array:
    """Return rows that are made of many files at once, in the same cache as `cached_array`."""

    def fill_all(array: Array) -> list[tuple[int, str]]:
        fill(array)
        return []

    key = recipe, (len(files), *row), dtype
    return _cached(name, files, fill_all, key=key, folder=folder, retry=str)[0]


def _cached(
    name: str,
    files: Sequence[str],
    fill: Fill,
    *,
    key: tuple[Any, ...],  # recipe, shape, dtype, ...
    folder: str | Path | None,
    retry: Callable[[str], object],  # called with each unreadable file: it may be readable now
) -> tuple[Array, dict[str, str]]:
    """Return an entry of the cache, made by `fill` if it is not there, and its problems."""
    if _is_off.get():
        array = np.empty(key[1], np.dtype(key[2]))
        return array, {files[i]: why for i, why in fill(array)}
    folder = Path(folder) if folder is not None else home() / "cache" / name
    sources = list(stamps(files))
    digest = hashlib.sha256(repr((*key, sources)).encode()).hexdigest()[:32]
    file = folder / f"{name}-{digest}.npy"
    if (found := _load(file, files, retry)) is None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with FileLock(file.with_suffix(".lock")):
                found = _load(file, files, retry)
                if found is None:  # else another process made it
                    _remove_unused(folder, keep=file)
                    source = next((path for path, _, _ in sources if path), "")
                    _write(file, key[1], np.dtype(key[2]), fill, source=source)
                    found = _load(file, files, retry)
        except OSError as e:
            raise DataError(
                f"Cannot write {e.filename or folder}: {e.strerror or e}. Give another `folder`, "
                "or set FKP_HOME to one that you can write to."
            ) from e
    if found is None:
        raise DataError(
            f"{file} is damaged right after it was written. Check the disk, give another `folder`, "
            "or set FKP_HOME to another disk."
        )
    return found


def stamps(files: Iterable[str]) -> Iterator[tuple[str, int, int]]:
    """Yield (resolved path, size in bytes, mtime in ns) of each file; zeros if it is missing."""
    folders: dict[str, str] = {}
    for file in files:
        parent, name = os.path.split(file)
        if parent not in folders:  # resolving takes longer than a stat
            folders[parent] = os.path.realpath(parent)
        try:
            stat = os.stat(file) if file else None
        except OSError:
            stat = None
        path = os.path.join(folders[parent], name) if file else ""
        yield path, stat.st_size if stat else 0, stat.st_mtime_ns if stat else 0


def _load(
    file: Path, files: Sequence[str], retry: Callable[[str], object]
) -> tuple[Array, dict[str, str]] | None:
    """Return an entry; None if it is missing or damaged, or an unreadable file is readable now."""
    note = file.with_suffix(".json")
    try:
        facts = json.loads(note.read_text(encoding="utf-8"))
        if file.stat().st_size != facts["bytes"] or _checksums_of(file) != facts["checksums"]:
            return None
        array = np.load(file, mmap_mode="r")
        problems = {files[i]: why for i, why in facts["problems"]}
    except _NOT_AN_ENTRY:
        return None
    with contextlib.suppress(OSError):
        os.utime(note)  # marks the entry as used now
    for unreadable in problems:
        with contextlib.suppress(UnreadableImage):
            retry(unreadable)
            return None  # it is readable now: the disk had failed, and not the file
    return array, problems


def _write(
    file: Path,
    shape: tuple[int, ...],
    dtype: np.dtype[np.generic],
    fill: Fill,
    *,
    source: str,  # the first file
) -> None:
    part, note = file.with_suffix(".part"), file.with_suffix(".json")
    need, free = int(np.prod(shape)) * dtype.itemsize, shutil.disk_usage(file.parent).free
    if free < need + _SPARE_BYTES:
        raise DataError(
            f"{file.parent} needs {need / 1e6:,.0f} MB for {file.stem.split('-')[0]} of shape "
            f"{shape}, and its disk has {free / 1e6:,.0f} MB free. Free some space, give another "
            "`folder`, or set FKP_HOME to another disk."
        )
    note.unlink(missing_ok=True)
    try:
        array = np.lib.format.open_memmap(part, mode="w+", dtype=dtype, shape=shape)
        if hasattr(os, "posix_fallocate"):  # else a full disk would end the process
            with open(part, "r+b") as f:
                os.posix_fallocate(f.fileno(), 0, os.fstat(f.fileno()).st_size)
        problems = fill(array)
        del array  # closes its file
        part.replace(file)
        facts = {"bytes": file.stat().st_size, "checksums": _checksums_of(file), "source": source}
        part.write_text(json.dumps({**facts, "problems": problems}), encoding="utf-8")
        part.replace(note)  # makes the entry valid
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _fill(array: Array, files: Sequence[str], make: Make, blank: float) -> list[tuple[int, str]]:
    """Fill the rows; return (index of a file, why) for the unreadable ones."""

    def fill_row(i: int) -> str:
        try:
            array[i] = make(files[i]) if files[i] else blank
            return ""
        except UnreadableImage as e:
            array[i] = blank
            return e.why

    problems = []
    # decoding and resizing release the interpreter lock
    with show_progress("read") as update, ThreadPoolExecutor() as pool:
        for i, why in enumerate(pool.map(fill_row, range(len(files)))):
            update((i + 1) / len(files), f"file {i + 1}/{len(files)}")
            if why:
                problems.append((i, why))
    return problems


def _checksums_of(file: Path) -> list[int]:
    stat = file.stat()
    return _checksums(str(file), stat.st_size, stat.st_ino, stat.st_mtime_ns)


@lru_cache(maxsize=64)
def _checksums(file: str, size: int, *_version: int) -> list[int]:
    """Return the checksum of each block of a file. This also reads it into memory."""

    def checksum(start: int) -> int:
        with open(file, "rb") as f:
            f.seek(start)
            return zlib.crc32(f.read(_BLOCK_BYTES))

    with ThreadPoolExecutor() as pool:
        return list(pool.map(checksum, range(0, size, _BLOCK_BYTES)))


def _remove_unused(folder: Path, keep: Path) -> None:
    """Remove old entries and what killed processes left; keep locks, others may wait for them."""
    name = keep.stem.split("-")[0]
    entries = folder.glob(f"{name}-{'[0-9a-f]' * 32}.*")  # other files are not ours
    for stem in {f.stem for f in entries if f.suffix != ".lock"} - {keep.stem}:
        part, note, file = (folder / f"{stem}{suffix}" for suffix in (".part", ".json", ".npy"))
        lock = FileLock(folder / f"{stem}.lock", timeout=0)
        with contextlib.suppress(Timeout), lock:  # a timeout: a process is making the entry
            for unused in (part,) if _is_used(note) else (part, note, file):
                unused.unlink(missing_ok=True)


def _is_used(note: Path) -> bool:
    """Say whether an entry was used lately and its first file still exists."""
    try:
        source = json.loads(note.read_text(encoding="utf-8"))["source"]
        is_recent = time.time() - note.stat().st_mtime < _KEPT_S
        return is_recent and (not source or os.path.exists(source))
    except _NOT_AN_ENTRY:
        return False
