"""A private dataset that holds what a folder holds: made, or given a new version, only where the content differs."""

from __future__ import annotations

import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from ...exceptions import DownloadCorrupt, NotFound
from .. import session
from . import lookup
from .api import fetch_file, metadata_of, mk_dataset, push_dataset
from .metadata import Content, read_content, slugify, write_metadata
from .publish import Dataset

if TYPE_CHECKING:
    from kaggle.api.kaggle_api_extended import KaggleApi

    from ..outbox import Journal

SUMS = "SHA256SUMS.txt"  # of the files, in the dataset: the service tells names and sizes only


def keep_dataset(
    dataset_path: str | Path,  # the folder; its sums and its metadata are written into it
    title: str,  # 6 to 50 characters; the slug is made of it
    *,
    license: str = "other",  # by Kaggle's name; "other": that of what is in it
    client: KaggleApi | None = None,
    timeout_s: float = 600.0,  # longest wait for Kaggle to process it
    poll_s: float = 5.0,  # longest pause between looks
    journal: str
    | Path
    | Journal
    | None = None,  # where attempts are written down; None = under environment.home()
) -> Dataset:
    """Return your private dataset of that title with what the folder holds; `sent` says whether anything had to be sent.

    Asked of Kaggle itself, so that another machine's push is seen too. Raises DatasetFailed, SecretFound.
    """
    client, folder = client or session.import_kaggle(), Path(dataset_path)
    handle = f"{lookup.user_of(client)}/{slugify(title)}"
    (folder / SUMS).unlink(missing_ok=True)
    files = read_content(folder).files
    (folder / SUMS).write_text(
        "".join(f"{sha}  {name}\n" for name, (_, sha) in sorted(files.items())), encoding="utf-8"
    )
    terms: dict[str, Any] = dict(client=client, timeout_s=timeout_s, poll_s=poll_s, journal=journal)
    if lookup.find(client, handle) is None:
        return mk_dataset(folder, title, True, license=license, **terms)
    status, version = lookup.wait_settled(
        client, handle, ends=time.monotonic() + timeout_s, poll_s=poll_s
    )
    if status not in lookup.SETTLED:
        raise lookup.still_processing(handle, status, timeout_s)
    meta, content = metadata_of(client, handle)[0], read_content(folder)
    write_metadata(folder, meta)
    if status == "READY" and _is_same(client, handle, content):
        return Dataset(handle, meta.title, version, status, meta.is_private)
    return push_dataset(
        folder, f"content {content.sha256[:12]}", **terms
    )  # the same words for the same files: a call that was cut is found again


def _is_same(client: Any, handle: str, content: Content) -> bool:
    "Say whether the dataset has exactly these files: names, sizes and hashes."
    if not content.fits(lookup.files_of(client, handle)):
        return False
    try:
        with TemporaryDirectory(prefix="fkp-") as work:
            return (
                fetch_file(client, handle, SUMS, Path(work)).read_bytes()
                == (content.folder / SUMS).read_bytes()
            )
    except (NotFound, DownloadCorrupt):
        return False
