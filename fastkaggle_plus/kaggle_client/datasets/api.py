"""Datasets under fastkaggle's names: private unless asked, updates that update, and nothing taken for absent that could not be asked about."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from ... import files
from ...exceptions import DataError
from .. import api, downloads, session
from . import lookup
from .error_rules import url_of
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

if TYPE_CHECKING:
    from kaggle.api.kaggle_api_extended import KaggleApi

    from ..outbox import Journal


def check_ds_exists(
    dataset_slug: str,  # owner/slug, or the dataset's address
    *,
    client: KaggleApi | None = None,  # from `connect`; None = import_kaggle()
) -> bool:
    "Say whether `dataset_slug` is on Kaggle. Raises where that could not be told: bad credentials, too many requests, a service in trouble."
    handle, _ = lookup.parse_handle(dataset_slug)
    return lookup.find(client or session.import_kaggle(), handle) is not None


def mk_dataset(
    dataset_path: str | Path,  # the folder; made if it is not there
    title: str,  # 6 to 50 characters; the slug is made of it
    force: bool = False,  # use a folder that is there, with what it holds
    upload: bool = True,  # make it on Kaggle too
    *,
    private: bool = True,
    license: str = DEFAULT_LICENSE,  # by Kaggle's name: CC0-1.0, CC-BY-SA-4.0, MIT, other
    subtitle: str = "",  # 20 to 80 characters, or none
    description: str = "",
    client: KaggleApi | None = None,
    wait: bool = True,  # until Kaggle has processed it
    timeout_s: float = 600.0,  # longest wait; a later call waits on
    poll_s: float = 5.0,  # longest pause between looks
    journal: str
    | Path
    | Journal
    | None = None,  # where attempts are written down; None = under environment.home()
) -> Dataset:
    "Write the metadata of a new dataset into `dataset_path` and create it on Kaggle. Raises NameTaken."
    folder, slug = Path(dataset_path), slugify(title)
    check_names(title, slug)
    if folder.exists() and not force:
        raise DataError(
            f"{folder} is there already. Use force=True to make a dataset of what it holds, or choose another folder."
        )
    client = client or session.import_kaggle()
    meta = Metadata(
        f"{lookup.user_of(client)}/{slug}",
        title,
        license,
        subtitle,
        description,
        is_private=private,
    )
    folder.mkdir(parents=True, exist_ok=True)
    write_metadata(folder, meta)
    if not upload:
        return Dataset(meta.handle, title, 0, "NOT_SENT", private)
    if all(p.name == METADATA for p in folder.iterdir()):
        (folder / "empty.txt").touch()  # Kaggle makes no dataset without a file
    return publish(
        client,
        folder,
        read_metadata(folder),
        notes="",
        journal=journal,
        terms=Terms(True, wait, timeout_s, poll_s),
    )


def get_dataset(
    dataset_path: str | Path,  # the folder to download to
    dataset_slug: str,  # owner/slug, with a version as owner/slug/versions/3
    unzip: bool = True,  # False = leave SLUG.zip in the folder
    force: bool = False,  # into a folder that is there: files of the same names are replaced, others stay
    *,
    client: KaggleApi | None = None,
    progress: downloads.Progress | None = None,  # called with (bytes so far, bytes in all)
) -> Path:
    """Download a dataset with its metadata, and return the folder: whole or not at all.

    The metadata file is one that push_dataset takes. What was cut goes on in the next call.
    """
    handle, version = lookup.parse_handle(dataset_slug)
    folder = Path(dataset_path)
    if folder.exists() and not force:
        raise DataError(
            f"{folder} is there already. Use force=True to replace the files in it that the dataset has, or choose another folder."
        )
    client = client or session.import_kaggle()
    work = (
        folder.parent / f".{folder.name}.download"
    )  # beside the folder: a rename within one file system is atomic
    lock = folder.parent / f".{folder.name}.lock"
    with files.disk_errors(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(lock):
            work.mkdir(exist_ok=True)
            meta, more = metadata_of(client, handle)
            archive, fresh = _fetch(client, handle, version, work, progress)
            if not unzip:
                shutil.rmtree(fresh)
                fresh.mkdir()
                archive.replace(fresh / f"{handle.split('/')[1]}.zip")
            write_metadata(fresh, meta, more=more)
            _put_in_place(fresh, folder)
            shutil.rmtree(work)
            lock.unlink(missing_ok=True)
    return folder


def push_dataset(
    dataset_path: str
    | Path,  # a folder with its metadata file, from mk_dataset, get_dataset or `kaggle datasets metadata`
    version_comment: str,  # what is new
    *,
    client: KaggleApi | None = None,
    wait: bool = True,  # until Kaggle has processed it
    timeout_s: float = 600.0,  # longest wait; a later call waits on
    poll_s: float = 5.0,  # longest pause between looks
    journal: str
    | Path
    | Journal
    | None = None,  # where attempts are written down; None = under environment.home()
    again: bool = False,  # make a version even if these files with this comment are the current one
    delete_old_versions: bool = False,
) -> Dataset:
    "Make a new version of the dataset out of the folder, and return it once Kaggle has processed it. Raises DatasetFailed, SecretFound."
    folder = Path(dataset_path)
    meta = read_metadata(folder)
    terms = Terms(
        False, wait, timeout_s, poll_s, again=again, delete_old_versions=delete_old_versions
    )
    return publish(
        client or session.import_kaggle(),
        folder,
        meta,
        notes=version_comment,
        journal=journal,
        terms=terms,
    )


def fetch_file(
    client: Any,
    handle: str,  # owner/slug
    name: str,  # of the file in the dataset
    work: Path,  # an empty folder
    *,
    tries: int = 3,  # while its bytes are wrong
) -> Path:
    "Download one file of the current version into `work` and return its path. Raises DownloadCorrupt."
    from kagglesdk.datasets.types.dataset_api_service import ApiDownloadDatasetRequest

    request = lookup.about(ApiDownloadDatasetRequest, handle)
    request.file_name = name

    def ask() -> downloads.Source:
        return downloads.source_of(
            lookup.read(
                client, "download_dataset", request, handle=handle, doing="download a file of"
            )
        )

    def once() -> Path:
        with (
            api.transfers(client) as transfers,
            lookup.explained(client, handle, "download a file of"),
        ):
            downloads.fetch(ask, part, transfers, stalls=getattr(client, "tries", 7))
        if zipfile.is_zipfile(part) and not name.endswith(
            (".zip", ".whl")
        ):  # Kaggle wraps what it finds large
            downloads.unpack(part, work / "unpacked")
            return work / "unpacked" / Path(name).name
        return part.rename(work / Path(name).name)

    part = work / "file.part"
    return downloads.until_sound(
        once,
        part,
        what=f"{name!r} of the dataset {handle}",
        then=f"look at {url_of(handle)}",
        tries=tries,
    )


def metadata_of(client: Any, handle: str) -> tuple[Metadata, dict[str, Any]]:
    "Return the dataset's metadata, and what else `kaggle datasets metadata --update` would want to find."
    from kagglesdk.datasets.types.dataset_api_service import ApiGetDatasetMetadataRequest

    request = lookup.about(ApiGetDatasetMetadataRequest, handle)
    answer = lookup.read(
        client, "get_dataset_metadata", request, handle=handle, doing="read the metadata of"
    )
    info = answer.info
    licenses = [one.name for one in info.licenses or [] if one.name]
    meta = Metadata(
        handle,
        info.title or handle.split("/")[1],
        licenses[0] if licenses else DEFAULT_LICENSE,
        info.subtitle or "",
        info.description or "",
        tuple(info.keywords or ()),
        bool(info.is_private),
    )
    more = {
        "expectedUpdateFrequency": info.expected_update_frequency,
        "userSpecifiedSources": info.user_specified_sources,
    }
    return meta, {k: v for k, v in more.items() if v}


def _fetch(
    client: Any, handle: str, version: int | None, work: Path, progress: downloads.Progress | None
) -> tuple[Path, Path]:
    "Download and unpack, anew if the bytes are wrong; return the archive and the folder."
    from kagglesdk.datasets.types.dataset_api_service import ApiDownloadDatasetRequest

    def ask() -> downloads.Source:
        request = lookup.about(ApiDownloadDatasetRequest, handle, version=version)
        return downloads.source_of(
            lookup.read(client, "download_dataset", request, handle=handle, doing="download")
        )

    def once() -> tuple[Path, Path]:
        with api.transfers(client) as transfers, lookup.explained(client, handle, "download"):
            downloads.fetch(
                ask, part, transfers, stalls=getattr(client, "tries", 7), progress=progress
            )
        downloads.unpack(part, fresh)
        return part, fresh

    part, fresh = (
        work / f"{handle.replace('/', '.')}.{version or 'latest'}.zip.part",
        work / "unpacked",
    )
    return downloads.until_sound(
        once, part, what=f"The dataset {handle}", then=f"look at {url_of(handle)}"
    )


def _put_in_place(fresh: Path, folder: Path) -> None:
    if not folder.exists():
        fresh.rename(folder)
        return
    for new in sorted(p for p in fresh.rglob("*") if p.is_file()):
        target = folder / new.relative_to(fresh)
        if target.is_dir():
            raise DataError(
                f"{target} is a folder, and the dataset has a file of that name. Move the folder away."
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        new.replace(target)
