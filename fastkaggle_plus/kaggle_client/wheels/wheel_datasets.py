"""Datasets of libraries for Kaggle notebooks without internet, under fastkaggle's names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .. import session
from .requirements import parse_requirements, requirement_lines
from .resolve import fetch_wheels, pip_options
from .sync_wheels import LibraryDataset, sync_wheels
from .wheel import KAGGLE_PLATFORMS, KAGGLE_PYTHONS, version_of

if TYPE_CHECKING:
    from kaggle.api.kaggle_api_extended import KaggleApi

    from ..outbox import Journal


def get_pip_library(
    dataset_path: str | Path,  # the folder for the wheels
    pip_library: str,  # name, with a version or extras as in pip; or the path of a wheel
    pip_cmd: str = "pip",  # another pip; "pip" = that of this Python
    *,
    python_version: str | Sequence[str] = KAGGLE_PYTHONS,  # of Kaggle's image; wheels for each
    platforms: Sequence[str] = KAGGLE_PLATFORMS,
    deps: bool = True,  # with the libraries it needs
    without: Iterable[str] = (),  # libraries left out with what only they need
) -> list[Path]:
    """Download the wheels of `pip_library` for Kaggle and return their paths.

    Raises DatasetFailed.
    """
    options = pip_options(pip_cmd, python_version, platforms, deps=deps, without=without)
    return [wheel.path for wheel in fetch_wheels([pip_library], Path(dataset_path), options)]


def get_pip_libraries(
    dataset_path: str | Path,  # the folder for the wheels
    requirements_path: str | Path,  # a requirements.txt
    pip_cmd: str = "pip",  # another pip; "pip" = that of this Python
    *,
    python_version: str | Sequence[str] = KAGGLE_PYTHONS,  # of Kaggle's image; wheels for each
    platforms: Sequence[str] = KAGGLE_PLATFORMS,
    deps: bool = True,  # with the libraries they need
    without: Iterable[str] = (),  # libraries left out with what only they need
) -> list[Path]:
    """Download the wheels of a requirements file for Kaggle and return their paths.

    Raises DatasetFailed.
    """
    options = pip_options(pip_cmd, python_version, platforms, deps=deps, without=without)
    lines = requirement_lines(Path(requirements_path))
    return [wheel.path for wheel in fetch_wheels(lines, Path(dataset_path), options)]


def get_local_ds_ver(
    lib_path: str | Path,  # the folder with the folders library-NAME
    lib: str,  # name of the library
) -> str | None:
    """Return the version of the library in the local copy of its dataset; None without one."""
    local = Path(lib_path) / f"library-{lib}"
    for folder in (local, local / "dist"):
        if version := version_of(lib, (path.name for path in folder.glob("*"))):
            return version
    return None


def create_libs_datasets(
    libs: str | Iterable[str],  # 'fastcore' or ['fastcore', 'timm==1.0']; extras are allowed
    lib_path: str | Path,  # folder for the local copies
    username: str,  # owner of the datasets
    clear_after: bool = False,  # delete the local copies at the end
    *,
    python_version: str | Sequence[str] = KAGGLE_PYTHONS,  # of Kaggle's image; wheels for each
    platforms: Sequence[str] = KAGGLE_PLATFORMS,
    deps: bool = True,  # with the libraries they need
    without: Iterable[str] = (),  # libraries left out with what only they need
    private: bool = True,
    pip_cmd: str = "pip",
    client: KaggleApi | None = None,
    timeout_s: float = 600.0,  # longest wait for Kaggle to process one dataset
    poll_s: float = 5.0,  # longest pause between polls
    journal: str | Path | Journal | None = None,
) -> list[LibraryDataset]:
    """Create or update one dataset `library-NAME` per library; return the results when READY.

    Before a dataset is sent, its wheels are installed into an empty environment and imported. A
    version is made only if a wheel changed.
    """
    options = pip_options(pip_cmd, python_version, platforms, deps=deps, without=without)
    client = client or session.import_kaggle()
    return [
        sync_wheels(
            [lib],
            Path(lib_path),
            f"library-{parse_requirements([lib])[0].name}",
            options,
            owner=username,
            clear_after=clear_after,
            client=client,
            private=private,
            timeout_s=timeout_s,
            poll_s=poll_s,
            journal=journal,
        )
        for lib in ([libs] if isinstance(libs, str) else libs)
    ]


def create_requirements_dataset(
    req_fpath: str | Path,  # a requirements.txt
    lib_path: str | Path,  # folder for the local copy
    title: str,  # of the dataset, 6 to 50 characters
    username: str,  # owner of the dataset
    retain: Sequence[str] = ["dataset-metadata.json"],  # files that a new version keeps
    version_notes: str = "New Update",
    *,
    python_version: str | Sequence[str] = KAGGLE_PYTHONS,  # of Kaggle's image; wheels for each
    platforms: Sequence[str] = KAGGLE_PLATFORMS,
    deps: bool = True,  # with the libraries they need
    without: Iterable[str] = (),  # libraries left out with what only they need
    private: bool = True,
    pip_cmd: str = "pip",
    client: KaggleApi | None = None,
    timeout_s: float = 600.0,  # longest wait for Kaggle to process it
    poll_s: float = 5.0,  # longest pause between polls
    journal: str | Path | Journal | None = None,
) -> LibraryDataset:
    """Create or update one dataset with all wheels of a requirements file; return it when READY."""
    return sync_wheels(
        requirement_lines(Path(req_fpath)),
        Path(lib_path),
        title,
        pip_options(pip_cmd, python_version, platforms, deps=deps, without=without),
        owner=username,
        retain=retain,
        notes=version_notes,
        client=client or session.import_kaggle(),
        private=private,
        timeout_s=timeout_s,
        poll_s=poll_s,
        journal=journal,
    )
