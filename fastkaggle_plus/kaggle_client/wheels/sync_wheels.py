"""Make or update one dataset of wheels: download, check, and send them if one changed."""

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ...exceptions import NotFound, PermissionDenied
from ..datasets.lookup import list_files
from ..datasets.metadata import DEFAULT_LICENSE, check_names, slugify
from ..datasets.publish import Dataset
from ..datasets.sync import sync_dataset
from .requirements import parse_requirements
from .resolve import PipOptions, fetch_wheels
from .trial_install import check_wheels
from .wheel import version_of


@dataclass(frozen=True)
class LibraryDataset:
    """The result for one dataset of wheels."""

    name: str  # of the library, or of the requirements' dataset
    dataset: Dataset
    version_before: str  # of the library on Kaggle; "" = none or unknown
    version: str  # of the library now
    changed: bool  # whether a dataset or a version of it was made
    checked: str  # a sentence on how the wheels were checked


def sync_wheels(
    wanted: list[str],  # pip's arguments, or the lines of a requirements file
    lib_path: Path,  # the folder for local copies
    title: str,  # of the dataset, and name of its local copy
    options: PipOptions,
    *,
    owner: str,
    retain: Sequence[str] = (),  # files of the dataset that a new version keeps
    notes: str = "",  # of a new version; "" = the library's version
    clear_after: bool = False,  # delete the local copy at the end
    client: Any,
    **sending: Any,  # private, timeout_s, poll_s, journal: see `sync_dataset`
) -> LibraryDataset:
    """Download and check wheels, and send them if one changed."""
    check_names(title, slugify(title))
    roots, folder = parse_requirements(wanted), lib_path / title
    library = roots[0].name if len(roots) == 1 else ""
    lib_path.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".wheels-", dir=lib_path) as temporary:
        new = Path(temporary)
        fetch_wheels(wanted, new, options)
        checked = check_wheels(new, roots, options)
        before = _version_of(library, _names_on_kaggle(client, f"{owner}/{slugify(title)}"))
        after = _version_of(library, [p.name for p in new.iterdir()])
        _replace_wheels(folder, new)
    # the same notes for the same wheels: after a kill, the next call finds the version it made
    dataset = sync_dataset(
        folder,
        title,
        owner=owner,
        license=DEFAULT_LICENSE,
        pattern="*.whl",
        retain=retain,
        notes=notes or after or "New wheels",
        client=client,
        **sending,
    )
    if clear_after:
        shutil.rmtree(folder)
    return LibraryDataset(library or title, dataset, before, after, dataset.sent, checked)


def _version_of(library: str, names: Iterable[str]) -> str:
    return (version_of(library, names) if library else None) or ""


def _names_on_kaggle(client: Any, handle: str) -> Iterable[str]:
    try:
        return list_files(client, handle)
    except (NotFound, PermissionDenied):
        return ()


def _replace_wheels(folder: Path, new: Path) -> None:
    """Move new wheels into the local copy, and delete its old ones; other files stay."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        if old.suffix == ".whl" or old.name == "empty.txt":
            old.unlink()
    for wheel in new.iterdir():
        wheel.replace(folder / wheel.name)
