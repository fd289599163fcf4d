"""Pack files into reproducible archives, and unpack archives without leaving their folder."""

import gzip
import hashlib
import os
import secrets
import shutil
import stat
import tarfile
import time
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import IO

LIMIT_BYTES = 20 << 30  # unpacked size of one archive
LINK_LIFE_S = 3600  # how long a link to a file is valid
_CHUNK = 1 << 20
_EPOCH = (1980, 1, 1, 0, 0, 0)
_COMPRESSED = (".jpg", ".jpeg", ".png", ".zip", ".gz", ".7z", ".npz", ".parquet")
_SUFFIXES = (".zip", ".tar.gz", ".tgz", ".tar")


class BadArchive(ValueError):
    """An archive that cannot be unpacked; the text says why."""


def pack(
    cache: Path,  # folder that keeps the archives
    files: Mapping[str, Path],  # name in the archive -> file
    name: str,  # *.zip or *.tar.gz
) -> Path:
    """Return an archive of the files. The same files give the same bytes and the same date."""
    stats = [f"{n} {f.stat().st_size} {f.stat().st_mtime_ns}" for n, f in files.items()]
    fingerprint = hashlib.sha256("\n".join(stats).encode()).hexdigest()[:16]
    made = cache / fingerprint / name
    made.parent.mkdir(parents=True, exist_ok=True)
    os.utime(made.parent)  # the time of its last use
    if not made.exists():
        remove_unused(cache)
        part = made.with_suffix(f".{secrets.token_hex(4)}.part")
        write = _write_zip if name.endswith(".zip") else _write_tar
        write(part, files)
        newest = max((f.stat().st_mtime_ns for f in files.values()), default=0)
        os.utime(part, ns=(newest, newest))
        part.replace(made)
    return made


def remove_unused(cache: Path, *, after_s: float = 2 * LINK_LIFE_S) -> None:
    """Delete the archives that were last used so long ago that no link to them is valid."""
    for folder in cache.glob("*"):
        if time.time() - folder.stat().st_mtime > after_s:
            shutil.rmtree(folder, ignore_errors=True)


def is_compressed(file: Path) -> bool:
    """Say whether a file's name says that it is compressed."""
    return file.suffix.lower() in _COMPRESSED


def unpacked_name(name: str) -> str:
    """Return the folder name that an archive is unpacked to; '' when it is no archive."""
    for suffix in _SUFFIXES:
        if name.lower().endswith(suffix) and len(name) > len(suffix):
            return name[: -len(suffix)]
    return ""


def is_archive(name: str, file: Path) -> bool:
    """Say whether a file has the name of a zip or tar, and also its content."""
    if not unpacked_name(name):
        return False
    return zipfile.is_zipfile(file) if name.lower().endswith(".zip") else tarfile.is_tarfile(file)


def unpack(archive: Path, dest: Path) -> None:
    """Unpack a zip or tar into `dest`.

    Raises BadArchive for a member outside `dest`, for a link, and for more than LIMIT_BYTES.
    """
    left = LIMIT_BYTES
    for name, content in _zip(archive) if zipfile.is_zipfile(archive) else _tar(archive):
        if content is None:
            _target(dest, name).mkdir(parents=True, exist_ok=True)
        else:
            left = _write_member(content, _target(dest, name), left)


def _zip(archive: Path) -> Iterator[tuple[str, IO[bytes] | None]]:
    """Yield name and content of each member of a zip; None is the content of a folder."""
    with zipfile.ZipFile(archive) as z:
        for info in z.infolist():
            if stat.S_ISLNK(info.external_attr >> 16):
                raise BadArchive(f"Member {info.filename!r} is a link.")
            yield info.filename, None if info.is_dir() else z.open(info)


def _tar(archive: Path) -> Iterator[tuple[str, IO[bytes] | None]]:
    """Yield name and content of each member of a tar; None is the content of a folder."""
    with tarfile.open(archive) as t:
        for info in t:
            if not info.isreg() and not info.isdir():
                raise BadArchive(f"Member {info.name!r} is neither a file nor a folder.")
            yield info.name, t.extractfile(info)  # None for a folder


def _target(dest: Path, name: str) -> Path:
    parts = PurePosixPath(name)
    if not name or parts.is_absolute() or ".." in parts.parts or "\\" in name or "\0" in name:
        raise BadArchive(f"Member {name!r} is outside the archive's folder.")
    return dest / parts


def _write_member(source: IO[bytes], file: Path, left: int) -> int:
    """Write a member and return the bytes left for the next ones. Headers can be wrong: count."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.exists():
        raise BadArchive(f"Two files are called {file.name} in one folder.")
    with file.open("xb") as out:
        while chunk := source.read(_CHUNK):
            left -= len(chunk)
            if left < 0:
                raise BadArchive(f"The archive holds more than {LIMIT_BYTES} bytes.")
            out.write(chunk)
    return left


def _write_zip(part: Path, files: Mapping[str, Path]) -> None:
    with zipfile.ZipFile(part, "w") as z:
        for name, file in files.items():
            info = zipfile.ZipInfo(name, _EPOCH)
            info.compress_type = zipfile.ZIP_STORED if is_compressed(file) else zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            with z.open(info, "w", force_zip64=True) as out, file.open("rb") as f:
                shutil.copyfileobj(f, out, _CHUNK)


def _write_tar(part: Path, files: Mapping[str, Path]) -> None:
    with (
        part.open("wb") as raw,
        gzip.GzipFile("", "wb", 6, raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w") as t,
    ):
        for name, file in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = file.stat().st_size, 0o644
            with file.open("rb") as f:
                t.addfile(info, f)
