"""Archives: made of files, the same bytes each time, and expanded without leaving their folder."""

from __future__ import annotations

import gzip
import hashlib
import secrets
import shutil
import stat
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import IO

LIMIT_BYTES = 20 << 30  # of what one archive may hold
_CHUNK = 1 << 20
_EPOCH = (1980, 1, 1, 0, 0, 0)
_DENSE = (".jpg", ".jpeg", ".png", ".zip", ".gz")
_KINDS = (".zip", ".tar.gz", ".tgz", ".tar")


class BadArchive(ValueError):
    "An archive that does not expand to files of their own; the text says why."


def pack(
    cache: Path,  # folder of archives made before
    files: Mapping[str, Path],  # name in the archive -> file
    name: str,  # *.zip or *.tar.gz
) -> Path:
    "Return an archive of the files, made once; the same files give the same bytes."
    print_ = hashlib.sha256(
        "\n".join(
            f"{n} {f.stat().st_size} {f.stat().st_mtime_ns}" for n, f in files.items()
        ).encode()
    ).hexdigest()[:16]
    made = cache / print_ / name
    if not made.exists():
        made.parent.mkdir(parents=True, exist_ok=True)
        part = made.with_suffix(f".{secrets.token_hex(4)}.part")
        (_zip if name.endswith(".zip") else _tar)(part, files)
        part.replace(made)
    return made


def unpacked_name(name: str) -> str:
    "Return the folder an archive of this name is expanded to, or '' when the name is not that of an archive."
    return next(
        (
            name[: -len(kind)]
            for kind in _KINDS
            if name.lower().endswith(kind) and len(name) > len(kind)
        ),
        "",
    )


def is_archive(name: str, file: Path) -> bool:
    "Say whether a file is what its name says: a zip or tar. One that only says so is kept as it is."
    return bool(unpacked_name(name)) and (
        zipfile.is_zipfile(file) if name.lower().endswith(".zip") else tarfile.is_tarfile(file)
    )


def expand(archive: Path, dest: Path) -> None:
    "Write the members of a zip or tar below `dest`. Raises BadArchive for a member that would lie elsewhere, a link, or too much."
    left = LIMIT_BYTES
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as z:
            for info in z.infolist():
                if stat.S_ISLNK(info.external_attr >> 16):
                    raise BadArchive(f"Member {info.filename!r} is a link.")
                if info.is_dir():
                    _inside(dest, info.filename).mkdir(parents=True, exist_ok=True)
                else:
                    with z.open(info) as member:
                        left = _write(member, _inside(dest, info.filename), left)
        return
    with tarfile.open(archive) as t:
        for item in t:
            if item.isdir():
                _inside(dest, item.name).mkdir(parents=True, exist_ok=True)
            elif not item.isreg() or (content := t.extractfile(item)) is None:
                raise BadArchive(f"Member {item.name!r} is neither a file nor a folder.")
            else:
                left = _write(content, _inside(dest, item.name), left)


def _inside(dest: Path, name: str) -> Path:
    "Where a member goes."
    parts = PurePosixPath(name)
    if not name or parts.is_absolute() or ".." in parts.parts or "\\" in name or "\0" in name:
        raise BadArchive(f"Member {name!r} lies outside the archive's folder.")
    return dest / parts


def _write(source: IO[bytes], file: Path, left: int) -> int:
    "Write a member and return how many bytes the next ones may have; what the archive says about sizes is not believed."
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


def _zip(part: Path, files: Mapping[str, Path]) -> None:
    with zipfile.ZipFile(part, "w") as z:
        for name, file in files.items():
            info = zipfile.ZipInfo(name, _EPOCH)
            info.compress_type = (
                zipfile.ZIP_STORED if file.suffix.lower() in _DENSE else zipfile.ZIP_DEFLATED
            )
            info.external_attr = 0o644 << 16
            with z.open(info, "w", force_zip64=True) as out, file.open("rb") as f:
                shutil.copyfileobj(f, out, _CHUNK)


def _tar(part: Path, files: Mapping[str, Path]) -> None:
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
