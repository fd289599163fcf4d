"""Library datasets: wheels that install in a Kaggle notebook without internet, under fastkaggle's names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .. import session
from ..datasets.publish import Terms
from .requirements import lines_of, named
from .sync_wheels import LibraryDataset, Sync, fetch_wheels, how_to
from .wheel import KAGGLE_PLATFORMS, KAGGLE_PYTHONS, version_of

if TYPE_CHECKING:
    from kaggle.api.kaggle_api_extended import KaggleApi

    from ..outbox import Journal


def get_pip_library(
    dataset_path: str | Path,  # the folder for the wheels
    pip_library: str,  # name, with a version or extras as pip takes them; or the path of a wheel
    pip_cmd: str = "pip",  # another pip; "pip" = that of this Python
    *,
    python_version: str | Sequence[str] = KAGGLE_PYTHONS,  # of Kaggle's image; wheels for each
    platforms: Sequence[str] = KAGGLE_PLATFORMS,
    deps: bool = True,  # with what it needs
    without: Iterable[
        str
    ] = (),  # libraries left out with what only they need: Kaggle's image has them
) -> list[Path]:
    "Download the wheels of `pip_library` for Kaggle into `dataset_path` and return their paths. Raises DatasetFailed."
    return fetch_wheels(
        [pip_library],
        Path(dataset_path),
        how_to(pip_cmd, python_version, platforms, deps=deps, without=without),
    )


def get_pip_libraries(
    dataset_path: str | Path,  # the folder for the wheels
    requirements_path: str | Path,  # a requirements.txt
    pip_cmd: str = "pip",  # another pip; "pip" = that of this Python
    *,
    python_version: str | Sequence[str] = KAGGLE_PYTHONS,  # of Kaggle's image; wheels for each
    platforms: Sequence[str] = KAGGLE_PLATFORMS,
    deps: bool = True,  # with what they need
    without: Iterable[
        str
    ] = (),  # libraries left out with what only they need: Kaggle's image has them
) -> list[Path]:
    "Download the wheels of a requirements file for Kaggle into `dataset_path` and return their paths. Raises DatasetFailed."
    how = how_to(pip_cmd, python_version, platforms, deps=deps, without=without)
    return fetch_wheels(lines_of(Path(requirements_path)), Path(dataset_path), how)


def get_local_ds_ver(
    lib_path: str | Path,  # where the folders library-NAME are
    lib: str,  # name of the library
) -> str | None:
    "Return the version of the library in the local copy of its dataset, None if it is not there."
    local = Path(lib_path) / f"library-{lib}"
    for folder in (local, local / "dist"):
        if folder.is_dir() and (version := version_of(lib, (p.name for p in folder.iterdir()))):
            return version
    return None


def create_libs_datasets(
    libs: str
    | Iterable[str],  # 'fastcore' or ['fastcore', 'fastkaggle_plus']; versions and extras allowed
    lib_path: str | Path,  # folder for the local copies
    username: str,  # who owns the datasets
    clear_after: bool = False,  # delete the local copies at the end
    *,
    python_version: str | Sequence[str] = KAGGLE_PYTHONS,  # of Kaggle's image; wheels for each
    platforms: Sequence[str] = KAGGLE_PLATFORMS,
    deps: bool = True,  # with what they need
    without: Iterable[
        str
    ] = (),  # libraries left out with what only they need: Kaggle's image has them
    private: bool = True,
    pip_cmd: str = "pip",
    client: KaggleApi | None = None,
    timeout_s: float = 600.0,  # longest wait for Kaggle to process one dataset
    poll_s: float = 5.0,  # longest pause between looks
    journal: str | Path | Journal | None = None,
) -> list[LibraryDataset]:
    """Create or update one dataset `library-NAME` for each library, and return what became of each once Kaggle has processed it.

    The wheels are installed into an empty environment and imported before anything is sent. A version is made only if a wheel changed.
    """
    how, made = how_to(pip_cmd, python_version, platforms, deps=deps, without=without), []
    client = client or session.import_kaggle()
    for lib in [libs] if isinstance(libs, str) else list(libs):
        title = f"library-{named([lib])[0].name}"
        one = Sync(
            client,
            Path(lib_path),
            title,
            username,
            Terms(False, True, timeout_s, poll_s),
            private=private,
            journal=journal,
        )
        made.append(one.run([lib], how, clear_after=clear_after))
    return made


def create_requirements_dataset(
    req_fpath: str | Path,  # a requirements.txt
    lib_path: str | Path,  # folder for the local copy
    title: str,  # of the dataset, 6 to 50 characters
    username: str,  # who owns it
    retain: Sequence[str] = [
        "dataset-metadata.json"
    ],  # files of the dataset that a new version keeps
    version_notes: str = "New Update",
    *,
    python_version: str | Sequence[str] = KAGGLE_PYTHONS,  # of Kaggle's image; wheels for each
    platforms: Sequence[str] = KAGGLE_PLATFORMS,
    deps: bool = True,  # with what they need
    without: Iterable[
        str
    ] = (),  # libraries left out with what only they need: Kaggle's image has them
    private: bool = True,
    pip_cmd: str = "pip",
    client: KaggleApi | None = None,
    timeout_s: float = 600.0,  # longest wait for Kaggle to process it
    poll_s: float = 5.0,  # longest pause between looks
    journal: str | Path | Journal | None = None,
) -> LibraryDataset:
    "Create or update one dataset with everything a requirements file needs, and return what became of it once Kaggle has processed it."
    how, lines = (
        how_to(pip_cmd, python_version, platforms, deps=deps, without=without),
        lines_of(Path(req_fpath)),
    )
    terms = Terms(False, True, timeout_s, poll_s)
    one = Sync(
        client or session.import_kaggle(),
        Path(lib_path),
        title,
        username,
        terms,
        private=private,
        journal=journal,
    )
    return one.run(lines, how, retain=retain, notes=version_notes)
