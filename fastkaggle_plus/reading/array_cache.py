"""Rows made from files, kept on disk: made once for all processes, never half, and made again when a file changed or the entry is damaged."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

from ..environment import home
from ..exceptions import DataError, UnreadableImage

Array = np.ndarray[Any, Any]

_KEPT_S = 30 * 24 * 3600  # without use
_SPARE_BYTES = 64 << 20  # left free on the disk
_BLOCK_BYTES = 16 << 20  # has one checksum


def cached_array(
    name: str,  # what the rows hold: begins the file's name
    files: Sequence[str],  # paths; "" for a row without a file
    make: Callable[[str], Array],  # file -> its row; may raise UnreadableImage
    *,
    recipe: object,  # what else the rows follow from; `repr` tells one from another
    row: tuple[int, ...],  # shape of a row
    dtype: str,
    blank: float = 0,  # fills the row of "" and of what is not readable
    folder: str | Path | None = None,  # default: FKP_HOME/cache/NAME
) -> tuple[Array, dict[str, str]]:
    """Return the rows of files, read-only and mapped from disk, and why some files are not readable: kept from before, or made now.

    An entry is for these files with their sizes and times of change. Of several processes that ask at once one makes it, and the others wait.
    It is written under another name and renamed, so a kill leaves nothing that would be used. What was not readable is tried again each time.
    When an entry is made, those go that nobody used for 30 days or whose first file is gone. Raises DataError when the folder cannot be
    written, or its disk has too little room.
    """
    folder, shape = (
        Path(folder) if folder is not None else home() / "cache" / name,
        (len(files), *row),
    )
    sources = list(stamps(files))
    file = (
        folder
        / f"{name}-{hashlib.sha256(repr((recipe, shape, dtype, blank, sources)).encode()).hexdigest()[:32]}.npy"
    )

    def fill(array: Array) -> list[tuple[int, str]]:
        def one(i: int) -> str:
            try:
                array[i] = make(files[i]) if files[i] else blank
                return ""
            except UnreadableImage as e:
                array[i] = blank
                return e.why

        with ThreadPoolExecutor() as pool:  # decoding and resizing release the interpreter lock
            return [(i, why) for i, why in enumerate(pool.map(one, range(len(files)))) if why]

    def kept() -> tuple[Array, dict[str, str]] | None:
        entry = _entry(file)
        if entry is None or any(
            _is_readable(files[i], make) for i, _ in entry[1]
        ):  # the disk, and not the file, was at fault
            return None
        return entry[0], {files[i]: why for i, why in entry[1]}

    if (found := kept()) is None:
        with _disk_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            with FileLock(file.with_suffix(".lock")):
                if (found := kept()) is None:  # else it was made while we waited
                    _clean(folder, keep=file)
                    _make(
                        file,
                        fill,
                        shape,
                        np.dtype(dtype),
                        next((path for path, _, _ in sources if path), ""),
                    )
                    found = kept()
    if found is None:
        raise DataError(
            f"{file} does not read back as it was written. Is its disk sound? Give another `folder`, or set FKP_HOME to another disk."
        )
    return found


def stamps(files: Iterable[str]) -> Iterator[tuple[str, int, int]]:
    """Yield (resolved path, size in bytes, mtime in ns) of each file, for what depends on their content; zeros where there is none."""
    folders: dict[str, str] = {}
    for file in files:
        parent, name = os.path.split(file)
        if parent not in folders:  # resolving takes longer than a stat
            folders[parent] = os.path.realpath(parent)
        try:
            stat = os.stat(file) if file else None
        except OSError:
            stat = None
        yield (
            os.path.join(folders[parent], name) if file else "",
            stat.st_size if stat else 0,
            stat.st_mtime_ns if stat else 0,
        )


def _entry(file: Path) -> tuple[Array, list[tuple[int, str]]] | None:
    """The array and the note beside it, or None where one of them is missing or damaged."""
    note = file.with_suffix(".json")
    try:
        says = json.loads(note.read_text(encoding="utf-8"))
        stat = file.stat()
        if (
            stat.st_size != says["bytes"]
            or _checksums(str(file), stat.st_ino, stat.st_size, stat.st_mtime_ns)
            != says["checksums"]
        ):
            return None
        array = np.load(file, mmap_mode="r")
        with contextlib.suppress(OSError):
            os.utime(note)  # used now
        return array, says["problems"]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _make(
    file: Path,
    fill: Callable[[Array], list[tuple[int, str]]],
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    source: str,
) -> None:
    part, note = file.with_suffix(".part"), file.with_suffix(".json")
    need = int(np.prod(shape)) * dtype.itemsize
    free = shutil.disk_usage(file.parent).free
    if free < need + _SPARE_BYTES:
        raise DataError(
            f"{file.parent} needs {need / 1e6:,.0f} MB for {file.stem.split('-')[0]} of shape {shape}, and its disk has {free / 1e6:,.0f} MB free. "
            "Free some space, give another `folder`, or set FKP_HOME to another disk."
        )
    note.unlink(missing_ok=True)
    try:
        array = np.lib.format.open_memmap(part, mode="w+", dtype=dtype, shape=shape)
        if hasattr(
            os, "posix_fallocate"
        ):  # else a disk that fills up meanwhile would end the process
            with open(part, "r+b") as f:
                os.posix_fallocate(f.fileno(), 0, os.fstat(f.fileno()).st_size)
        problems = fill(array)
        del array  # closes its file
        part.replace(file)
        stat = file.stat()
        sums = _checksums(str(file), stat.st_ino, stat.st_size, stat.st_mtime_ns)
        says = {"bytes": stat.st_size, "checksums": sums, "source": source, "problems": problems}
        part.write_text(json.dumps(says), encoding="utf-8")
        part.replace(note)  # from here on the entry is there
    except BaseException:
        part.unlink(missing_ok=True)
        raise


@lru_cache(maxsize=64)
def _checksums(file: str, inode: int, size: int, mtime_ns: int) -> list[int]:
    """The checksum of each block of a file, computed once for what it is now. Reading it all also brings it into memory, where it is needed next."""

    def checksum(start: int) -> int:
        with open(file, "rb") as f:
            f.seek(start)
            return zlib.crc32(f.read(_BLOCK_BYTES))

    with ThreadPoolExecutor() as pool:
        return list(pool.map(checksum, range(0, size, _BLOCK_BYTES)))


def _is_readable(file: str, make: Callable[[str], Array]) -> bool:
    try:
        make(file)
        return True
    except UnreadableImage:
        return False


def _clean(folder: Path, keep: Path) -> None:
    """Remove entries that nobody will use, and what killed processes left half made. The empty locks stay: another may wait at one."""
    name = keep.stem.split("-")[0]
    for stem in {
        f.stem for f in folder.glob(f"{name}-{'[0-9a-f]' * 32}.*") if f.suffix != ".lock"
    } - {keep.stem}:  # whatever else is here is not ours
        part, note, file = (folder / f"{stem}{suffix}" for suffix in (".part", ".json", ".npy"))
        with (
            contextlib.suppress(Timeout),
            FileLock(folder / f"{stem}.lock", timeout=0),
        ):  # taken: its maker is at work
            for gone in (part,) if _is_wanted(note) else (part, note, file):
                gone.unlink(missing_ok=True)


def _is_wanted(note: Path) -> bool:
    """Say whether an entry is whole, was used lately, and its first file is still there."""
    try:
        source = json.loads(note.read_text(encoding="utf-8"))["source"]
        return time.time() - note.stat().st_mtime < _KEPT_S and (
            not source or os.path.exists(source)
        )
    except (OSError, ValueError, KeyError, TypeError):
        return False


@contextlib.contextmanager
def _disk_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as e:
        raise DataError(
            f"Cannot write {e.filename or folder}: {e.strerror or e}. Give another `folder`, or set FKP_HOME to one that you may write to."
        ) from e
