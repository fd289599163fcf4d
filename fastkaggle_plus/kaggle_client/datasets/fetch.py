"""Download a dataset's archive, or one of its files."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from .. import downloads
from ..services import DATASETS, dataset_page
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

    request = lookup.request_for(handle, version=version)
    what = f"The dataset {handle}"
    return _fetch(client, handle, request, part, unpack, what=what, progress=progress)


def fetch_file(
    client: Any,
    handle: str,  # owner/slug
    name: str,  # of the file in the dataset
    work: Path,  # an empty folder
) -> Path:
    """Download one file of the current version into `work` and return its path."""
    part = work / "file.part"

    def finish(md5: str) -> Path:
        # Kaggle zips large files.
        if zipfile.is_zipfile(part) and not name.endswith((".zip", ".whl")):
            unzip(part, work / "unpacked")
            return work / "unpacked" / Path(name).name
        return part.rename(work / Path(name).name)

    request = {**lookup.request_for(handle), "file_name": name}
    what = f"{name!r} of the dataset {handle}"
    return _fetch(client, handle, request, part, finish, what=what, doing="download a file of")


def _fetch(
    client: Any,
    handle: str,
    request: dict[str, Any],
    part: Path,
    finish: Callable[[str], T],
    *,
    what: str,
    doing: str = "download",
    progress: downloads.Progress | None = None,
) -> T:
    def find() -> downloads.Source:
        method = "download_dataset"
        return downloads.find_source(client, DATASETS, method, request, name=handle, doing=doing)

    return downloads.fetch_verified(
        client,
        DATASETS,
        find,
        part,
        finish,
        name=handle,
        doing=doing,
        what=what,
        advice=f"look at {dataset_page(handle)}",
        progress=progress,
    )
