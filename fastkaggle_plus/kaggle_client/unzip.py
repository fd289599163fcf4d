"""Unpack a downloaded zip: all of it or nothing, inside its folder, not larger than the disk."""

import errno
import lzma
import os
import re
import shutil
import stat
import struct
import time
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from ..exceptions import DownloadCorrupt, KaggleError

CHUNK_BYTES = 1 << 20
# A zip beyond both is made to fill disks; tables shrink by a factor of up to 100.
MAX_BYTES, MAX_RATIO = 1 << 30, 500
_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    RuntimeError,
    ValueError,
)
# Errors of the archive, not of the disk: clashing or too long names, odd offsets.
_BAD_NAMES = (errno.EEXIST, errno.EISDIR, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ENOENT)
_BAD_ARCHIVE = (None, errno.EINVAL, errno.EILSEQ, *_BAD_NAMES)


def unzip(archive: Path, folder: Path) -> None:
    """Extract a zip into an empty `folder`, checking every member's CRC."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    name = archive.name.removesuffix(".part")
    try:
        with zipfile.ZipFile(archive) as z:
            members = z.infolist()
            if all(m.is_dir() for m in members):
                raise zipfile.BadZipFile("it has no file")
            for member in members:
                _refuse_outside(member, name)
            _refuse_too_big(sum(m.file_size for m in members), archive, folder)
            for member in members:
                _extract(z, member, folder)
    except KaggleError:
        raise
    except OSError as e:
        if e.errno not in _BAD_ARCHIVE:
            raise
        at = f" ({e.filename})"[:200] if e.filename else ""
        raise DownloadCorrupt(f"{name} does not unpack: {e.strerror or e}{at}.") from e
    except _DAMAGED as e:
        raise DownloadCorrupt(f"{name} is not a sound zip: {e}.") from e


def leaves_folder(name: str) -> bool:
    """Say whether a file of this name would be outside the folder it is written to."""
    path = PurePosixPath(name.replace("\\", "/"))
    return path.is_absolute() or ".." in path.parts or bool(re.match(r"[A-Za-z]:", name))


def _refuse_outside(member: zipfile.ZipInfo, archive_name: str) -> None:
    is_link = stat.S_ISLNK(member.external_attr >> 16)
    if leaves_folder(member.filename) or is_link:
        raise KaggleError(
            f"{archive_name} has a member that would leave its folder: {member.filename!r}. "
            "Nothing was unpacked. Report it to its author on Kaggle; do not unpack it by hand."
        )


def _refuse_too_big(n_bytes: int, archive: Path, folder: Path) -> None:
    packed, free = archive.stat().st_size, shutil.disk_usage(folder).free
    if n_bytes > max(MAX_BYTES, MAX_RATIO * packed):
        raise KaggleError(
            f"{archive.name.removesuffix('.part')} would grow from {packed / 1e6:.1f} to "
            f"{n_bytes / 1e6:.0f} MB, like a zip made to fill the disk. Nothing was unpacked. Look "
            "at the list of its files on Kaggle first."
        )
    if n_bytes > free:
        why = f"unpacked it needs {n_bytes / 1e6:.0f} MB and {free / 1e6:.0f} MB are free"
        raise OSError(errno.ENOSPC, why, str(folder))


def _extract(z: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path) -> None:
    target = folder / member.filename.replace("\\", "/")
    if member.is_dir():
        target.mkdir(parents=True, exist_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with z.open(member) as source, open(target, "wb") as f:
        shutil.copyfileobj(source, f, CHUNK_BYTES)
    if member.date_time >= (1980, 1, 1, 0, 0, 0):
        moment = time.mktime((*member.date_time, 0, 0, -1))
        os.utime(target, (moment, moment))
