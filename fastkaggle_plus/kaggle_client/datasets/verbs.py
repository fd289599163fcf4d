"""Check, make, download and update a dataset: the verbs under fastkaggle's names."""

from __future__ import annotations

import shutil
from pathlib import Path

from filelock import FileLock

from ... import files
from ...exceptions import DataError
from .. import api, downloads, session
from ..api import KaggleApi
from ..outbox import Journal
from . import lookup
from .fetch import fetch_archive
from .metadata import (
    DEFAULT_LICENSE,
    METADATA,
    Metadata,
    check_names,
    read_metadata,
    slugify,
    write_metadata,
)
from .publish import Dataset, Terms, publish


def check_ds_exists(
    dataset_slug: str,  # owner/slug, or the dataset's address
    *,
    client: KaggleApi | None = None,  # from `connect`; None = import_kaggle()
) -> bool:
    """Say whether `dataset_slug` is on Kaggle. Raises KaggleError if Kaggle does not say."""
    handle, _ = lookup.parse_handle(dataset_slug)
    return lookup.find_dataset(client or session.import_kaggle(), handle) is not None


def mk_dataset(
    dataset_path: str | Path,  # the folder; made if missing
    title: str,  # 6 to 50 characters; the slug is made of it
    force: bool = False,  # use an existing folder and its files
    upload: bool = True,  # make it on Kaggle too
    *,
    private: bool = True,
    license: str = DEFAULT_LICENSE,  # by Kaggle's name: CC0-1.0, CC-BY-SA-4.0, MIT, other
    subtitle: str = "",  # 20 to 80 characters, or none
    description: str = "",
    client: KaggleApi | None = None,
    wait: bool = True,  # until Kaggle has processed it
    timeout_s: float = 600.0,  # longest wait; call again to wait longer
    poll_s: float = 5.0,  # longest pause between polls
    journal: str | Path | Journal | None = None,  # of attempts; None = in environment.home()
) -> Dataset:
    """Write the metadata of a new dataset into `dataset_path` and create it on Kaggle."""
    folder, slug = Path(dataset_path), slugify(title)
    check_names(title, slug)
    if folder.exists() and not force:
        raise DataError(
            f"{folder} is there already. Use force=True to make a dataset of its files, or choose "
            "another folder."
        )
    client = client or session.import_kaggle()
    handle = f"{api.user_of(client)}/{slug}"
    meta = Metadata(handle, title, license, subtitle, description, is_private=private)
    folder.mkdir(parents=True, exist_ok=True)
    write_metadata(folder, meta)
    if not upload:
        return Dataset(handle, title, 0, "NOT_SENT", private)
    if all(p.name == METADATA for p in folder.iterdir()):
        (folder / "empty.txt").touch()  # Kaggle makes no dataset without a file
    terms = Terms(new=True, wait=wait, timeout_s=timeout_s, poll_s=poll_s)
    meta = read_metadata(folder)
    return publish(client, folder, meta, notes="", journal=journal, terms=terms)


def get_dataset(
    dataset_path: str | Path,  # the folder to download to
    dataset_slug: str,  # owner/slug, with a version as owner/slug/versions/3
    unzip: bool = True,  # False = leave SLUG.zip in the folder
    force: bool = False,  # into an existing folder: replaces files of the same names only
    *,
    client: KaggleApi | None = None,
    progress: downloads.Progress | None = None,  # called with (bytes so far, bytes in all)
) -> Path:
    """Download a dataset with its metadata, all of it or nothing, and return the folder.

    push_dataset can use the metadata file. An interrupted download resumes in the next call.
    """
    handle, version = lookup.parse_handle(dataset_slug)
    folder = Path(dataset_path)
    if folder.exists() and not force:
        raise DataError(
            f"{folder} is there already. Use force=True to replace its files that the dataset has, "
            "or choose another folder."
        )
    client = client or session.import_kaggle()
    # Next to the folder: a rename within one file system is atomic.
    work, lock = folder.parent / f".{folder.name}.download", folder.parent / f".{folder.name}.lock"
    with files.disk_errors(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(lock):
            work.mkdir(exist_ok=True)
            meta, others = lookup.read_metadata(client, handle)
            archive, fresh = fetch_archive(client, handle, version, work, progress=progress)
            if not unzip:
                shutil.rmtree(fresh)
                fresh.mkdir()
                archive.replace(fresh / f"{handle.split('/')[1]}.zip")
            write_metadata(fresh, meta, others=others)
            _move_into_place(fresh, folder)
            shutil.rmtree(work)
            lock.unlink(missing_ok=True)
    return folder


def push_dataset(
    dataset_path: str | Path,  # a folder with its metadata file, from mk_dataset or get_dataset
    version_comment: str,  # what is new
    *,
    client: KaggleApi | None = None,
    wait: bool = True,  # until Kaggle has processed it
    timeout_s: float = 600.0,  # longest wait; call again to wait longer
    poll_s: float = 5.0,  # longest pause between polls
    journal: str | Path | Journal | None = None,  # of attempts; None = in environment.home()
    again: bool = False,  # make a version even if the current one has these files and comment
    delete_old_versions: bool = False,
) -> Dataset:
    """Make a new version of the dataset from the folder. Raises DatasetFailed, SecretFound."""
    folder = Path(dataset_path)
    meta = read_metadata(folder)
    terms = Terms(
        new=False,
        wait=wait,
        timeout_s=timeout_s,
        poll_s=poll_s,
        again=again,
        delete_old_versions=delete_old_versions,
    )
    client = client or session.import_kaggle()
    return publish(client, folder, meta, notes=version_comment, journal=journal, terms=terms)


def _move_into_place(fresh: Path, folder: Path) -> None:
    if not folder.exists():
        fresh.rename(folder)
        return
    for new in sorted(p for p in fresh.rglob("*") if p.is_file()):
        target = folder / new.relative_to(fresh)
        if target.is_dir():
            files.make_room(target)  # refuses it
        target.parent.mkdir(parents=True, exist_ok=True)
        new.replace(target)
