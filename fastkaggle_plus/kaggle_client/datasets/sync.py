"""Make or update a dataset so that it has the files of a folder; send only what changed."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ...exceptions import DownloadCorrupt, NotFound
from .. import api, session
from ..api import KaggleApi
from ..outbox import Journal
from . import lookup
from .content import Content, read_content
from .fetch import fetch_file
from .metadata import METADATA, Metadata, check_names, slugify, write_metadata
from .publish import Dataset, Terms, publish

SUMS = "SHA256SUMS.txt"  # of the files, in the dataset: Kaggle lists only names and sizes


def sync_dataset(
    dataset_path: str | Path,  # the folder; its checksums and metadata are written into it
    title: str,  # 6 to 50 characters; the slug is made of it
    *,
    owner: str = "",  # "" = the client's user
    license: str = "other",  # of a new dataset, by Kaggle's name; "other": that of its content
    private: bool = True,  # a new dataset
    pattern: str = "*",  # the files to compare; others in the folder are sent along
    retain: Sequence[str] = (),  # other files of the dataset that a new version keeps
    notes: str = "",  # of a new version; "" = a hash of the files
    client: KaggleApi | None = None,
    timeout_s: float = 600.0,  # longest wait for Kaggle to process it
    poll_s: float = 5.0,  # longest pause between polls
    journal: str | Path | Journal | None = None,  # of attempts; None = in environment.home()
) -> Dataset:
    """Return the dataset of that title with the files of the folder; `sent` if it was changed.

    Kaggle's own list is compared, so changes by other machines count. Raises DatasetFailed,
    SecretFound.
    """
    client, folder = client or session.import_kaggle(), Path(dataset_path)
    handle = f"{owner or api.user_of(client)}/{slugify(title)}"
    check_names(title, slugify(title))
    sums = _write_sums(folder, pattern)
    if lookup.find_dataset(client, handle) is None:
        meta = Metadata(handle, title, license, is_private=private)
        write_metadata(folder, meta)
        terms = Terms(new=True, wait=True, timeout_s=timeout_s, poll_s=poll_s)
        return publish(client, folder, meta, notes="", journal=journal, terms=terms)
    status, version = lookup.require_final(client, handle, timeout_s=timeout_s, poll_s=poll_s)
    listed = lookup.list_files(client, handle) if status == "READY" else {}
    meta, _ = lookup.read_metadata(client, handle)
    write_metadata(folder, meta)
    compared = {n: s for n, s in listed.items() if _is_compared(n, pattern)}
    if _is_same(client, handle, sums, compared):
        return Dataset(handle, meta.title, version, status, meta.is_private)
    for name in retain:
        if name in listed and name != METADATA and not (folder / name).exists():
            with TemporaryDirectory(prefix="fkp-") as work:
                shutil.move(fetch_file(client, handle, name, Path(work)), folder / name)
    # The same notes for the same files: after a kill, the next call finds the version it made.
    notes = notes or f"content {read_content(folder).sha256[:12]}"
    terms = Terms(new=False, wait=True, timeout_s=timeout_s, poll_s=poll_s)
    return publish(client, folder, meta, notes=notes, journal=journal, terms=terms)


def _write_sums(folder: Path, pattern: str) -> Content:
    """Write the checksums of the compared files into `folder`; return those files, with SUMS."""
    (folder / SUMS).unlink(missing_ok=True)
    files = {n: f for n, f in read_content(folder).files.items() if _is_compared(n, pattern)}
    (folder / SUMS).write_text(Content(folder, files).sums, encoding="utf-8")
    return Content(folder, {**files, SUMS: ((folder / SUMS).stat().st_size, "")})


def _is_compared(name: str, pattern: str) -> bool:
    return name == SUMS or fnmatch(name, pattern)


def _is_same(client: Any, handle: str, content: Content, listed: dict[str, int]) -> bool:
    """Say whether the dataset has exactly these files: names, sizes and hashes."""
    if SUMS not in listed or not content.fits(listed):
        return False
    try:
        with TemporaryDirectory(prefix="fkp-") as work:
            theirs = fetch_file(client, handle, SUMS, Path(work)).read_bytes()
            return theirs == (content.folder / SUMS).read_bytes()
    except (NotFound, DownloadCorrupt):
        return False
