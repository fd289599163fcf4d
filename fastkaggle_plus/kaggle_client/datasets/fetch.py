"""Download a dataset's archive, or one of its files."""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from .. import downloads
from ..api import Subject
from ..services import dataset_page
from ..unzip import unzip
from . import lookup

T = TypeVar("T")


def fetch_archive(
    client: Any,
    handle: str,  # owner/slug
    version: int | None,  # None = the current one
    work: Path,  # a folder for it
    *,
    progress: downloads.Progress | None = None,
) -> tuple[Path, Path]:
    """Download all files of a version; return the archive and a folder with its files."""
    part = work / f"{handle.replace('/', '.')}.{version or 'latest'}.zip.part"
    fresh = work / "unpacked"

    def unpack(md5: str) -> tuple[Path, Path]:
        unzip(part, fresh)
        return part, fresh

    about, what = lookup.about(client, handle, version=version), f"The dataset {handle}"
    return _fetch(about, part, unpack, what=what, progress=progress)


def fetch_file(
    client: Any,
    handle: str,  # owner/slug
    name: str,  # of the file in the dataset
    work: Path,  # an empty folder
) -> Path:
    """Download one file of the current version into `work` and return its path."""
    part = work / "file.part"

    def finish(md5: str) -> Path:
        base = Path(name).name
        if _is_zip_of(part, base):
            unzip(part, work / "unpacked")
            return work / "unpacked" / base
        return part.rename(work / base)

    about, what = lookup.about(client, handle), f"{name!r} of the dataset {handle}"
    return _fetch(about, part, finish, what=what, doing="download a file of", file_name=name)


def _is_zip_of(file: Path, name: str) -> bool:
    """Say whether Kaggle put one large file into a zip; a file can also be a zip of its own."""
    if not zipfile.is_zipfile(file):
        return False
    with zipfile.ZipFile(file) as z:
        return z.namelist() == [name]


def _fetch(
    about: Subject,
    part: Path,
    finish: Callable[[str], T],
    *,
    what: str,
    doing: str = "download",
    progress: downloads.Progress | None = None,
    **fields: str,  # of the request
) -> T:
    return downloads.fetch_verified(
        about,
        part,
        finish,
        find=lambda: downloads.source_of(about.call("download_dataset", doing=doing, **fields)),
        doing=doing,
        what=what,
        advice=f"look at {dataset_page(about.name)}",
        progress=progress,
    )
