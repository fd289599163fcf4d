"""Library datasets: wheels that install in a Kaggle notebook without internet, under fastkaggle's names."""

from __future__ import annotations

import hashlib
import re
import shutil
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from ..exceptions import DatasetFailed, DownloadCorrupt, NotFound
from . import dataset_service, own_wheel, pip_download, session, wheels
from .dataset_folder import METADATA, Metadata, check_names, slugify, write_metadata
from .dataset_versions import Dataset, Terms, publish
from .datasets import fetch_file, metadata_of
from .wheel_check import check_wheels
from .wheels import KAGGLE_PLATFORMS, KAGGLE_PYTHONS, Target, Wheel

if TYPE_CHECKING:
    from kaggle.api.kaggle_api_extended import KaggleApi

    from .journal import Journal

SUMS = "SHA256SUMS.txt"     # of the wheels, in the dataset: the service tells names and sizes only


@dataclass(frozen=True)
class LibraryDataset:
    "What became of one dataset of wheels."
    name: str               # of the library, or of the requirements' dataset
    dataset: Dataset
    version_before: str     # of the library on Kaggle, "" = none or not known
    version: str            # of the library now
    changed: bool           # a dataset or a version of it was made
    checked: str            # how the wheels were, in words


def get_pip_library(
    dataset_path: str | Path,   # the folder for the wheels
    pip_library: str,           # name, with a version or extras as pip takes them; or the path of a wheel
    pip_cmd: str = "pip",       # another pip; "pip" = that of this Python
    *,
    python_version: str | Sequence[str] = KAGGLE_PYTHONS,   # of Kaggle's image; wheels for each
    platforms: Sequence[str] = KAGGLE_PLATFORMS,
    deps: bool = True,              # with what it needs
    without: Iterable[str] = (),    # libraries left out with what only they need: Kaggle's image has them
) -> list[Path]:
    "Download the wheels of `pip_library` for Kaggle into `dataset_path` and return their paths. Raises DatasetFailed."
    return _fetch([pip_library], Path(dataset_path), pip_cmd, python_version, platforms, deps=deps, without=without)


def get_pip_libraries(
    dataset_path: str | Path,       # the folder for the wheels
    requirements_path: str | Path,  # a requirements.txt
    pip_cmd: str = "pip",           # another pip; "pip" = that of this Python
    *,
    python_version: str | Sequence[str] = KAGGLE_PYTHONS,   # of Kaggle's image; wheels for each
    platforms: Sequence[str] = KAGGLE_PLATFORMS,
    deps: bool = True,              # with what they need
    without: Iterable[str] = (),    # libraries left out with what only they need: Kaggle's image has them
) -> list[Path]:
    "Download the wheels of a requirements file for Kaggle into `dataset_path` and return their paths. Raises DatasetFailed."
    return _fetch(_lines(Path(requirements_path)), Path(dataset_path), pip_cmd, python_version, platforms, deps=deps, without=without)


def get_local_ds_ver(
    lib_path: str | Path,   # where the folders library-NAME are
    lib: str,               # name of the library
) -> str | None:
    "Return the version of the library in the local copy of its dataset, None if it is not there."
    local = Path(lib_path) / f"library-{lib}"
    for folder in (local, local / "dist"):
        if folder.is_dir() and (version := wheels.version_of(lib, (p.name for p in folder.iterdir()))):
            return version
    return None


def create_libs_datasets(
    libs: str | Iterable[str],  # 'fastcore' or ['fastcore', 'fastkaggle_plus']; versions and extras allowed
    lib_path: str | Path,       # folder for the local copies
    username: str,              # who owns the datasets
    clear_after: bool = False,  # delete the local copies at the end
    *,
    python_version: str | Sequence[str] = KAGGLE_PYTHONS,   # of Kaggle's image; wheels for each
    platforms: Sequence[str] = KAGGLE_PLATFORMS,
    deps: bool = True,              # with what they need
    without: Iterable[str] = (),    # libraries left out with what only they need: Kaggle's image has them
    private: bool = True,
    pip_cmd: str = "pip",
    client: KaggleApi | None = None,
    timeout_s: float = 600.0,       # longest wait for Kaggle to process one dataset
    poll_s: float = 5.0,            # longest pause between looks
    journal: str | Path | Journal | None = None,
) -> list[LibraryDataset]:
    """Create or update one dataset `library-NAME` for each library, and return what became of each once Kaggle has processed it.

    The wheels are installed into an empty environment and imported before anything is sent. A version is made only if a wheel changed.
    """
    client, made = client or session.import_kaggle(), []
    for lib in [libs] if isinstance(libs, str) else list(libs):
        title = f"library-{_named([lib])[0].name}"
        terms = Terms(False, True, timeout_s, poll_s)
        one = _Sync(client, Path(lib_path), title, username, terms, private=private, journal=journal)
        made.append(one.run([lib], pip_cmd, python_version, platforms, deps=deps, without=without, clear_after=clear_after))
    return made


def create_requirements_dataset(
    req_fpath: str | Path,  # a requirements.txt
    lib_path: str | Path,   # folder for the local copy
    title: str,             # of the dataset, 6 to 50 characters
    username: str,          # who owns it
    retain: Sequence[str] = ["dataset-metadata.json"],  # files of the dataset that a new version keeps
    version_notes: str = "New Update",
    *,
    python_version: str | Sequence[str] = KAGGLE_PYTHONS,   # of Kaggle's image; wheels for each
    platforms: Sequence[str] = KAGGLE_PLATFORMS,
    deps: bool = True,              # with what they need
    without: Iterable[str] = (),    # libraries left out with what only they need: Kaggle's image has them
    private: bool = True,
    pip_cmd: str = "pip",
    client: KaggleApi | None = None,
    timeout_s: float = 600.0,       # longest wait for Kaggle to process it
    poll_s: float = 5.0,            # longest pause between looks
    journal: str | Path | Journal | None = None,
) -> LibraryDataset:
    "Create or update one dataset with everything a requirements file needs, and return what became of it once Kaggle has processed it."
    terms = Terms(False, True, timeout_s, poll_s)
    one = _Sync(client or session.import_kaggle(), Path(lib_path), title, username, terms, private=private, journal=journal)
    return one.run(_lines(Path(req_fpath)), pip_cmd, python_version, platforms, deps=deps, without=without, retain=retain, notes=version_notes)


class _Sync:
    "One dataset of wheels, brought up to date."

    def __init__(self, client: Any, lib_path: Path, title: str, username: str, terms: Terms, *, private: bool, journal: Any):
        check_names(title, slugify(title))
        self.client, self.title, self.handle, self.terms = client, title, f"{username}/{slugify(title)}", terms
        self.folder, self.private, self.journal = lib_path / title, private, journal

    def run(self, wanted: list[str], pip_cmd: str, python_version: Any, platforms: Any, *, deps: bool, without: Iterable[str],
            clear_after: bool = False, retain: Sequence[str] = (), notes: str = "") -> LibraryDataset:
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        roots, left_out = _named(wanted), frozenset(canonicalize_name(n) for n in without)
        with TemporaryDirectory(prefix=".wheels-", dir=self.folder.parent) as temporary:
            fresh = Path(temporary)
            _fetch(wanted, fresh, pip_cmd, python_version, platforms, deps=deps, without=left_out)
            checked = check_wheels(fresh, roots, targets=_targets(python_version, platforms), pip=pip_download.pip_base(pip_cmd), deps=deps, without=left_out)
            (fresh / SUMS).write_text("".join(f"{_sha256(w.path)}  {w.path.name}\n" for w in wheels.wheels_in(fresh)), encoding="utf-8")
            there, status, version = self._there()
            lib = roots[0].name if len(roots) == 1 else ""
            before, after = (wheels.version_of(lib, names) or "" if lib else "" for names in (there, (p.name for p in fresh.iterdir())))
            if status == "READY" and self._is_same(fresh, there):
                meta = metadata_of(self.client, self.handle)[0]
                self._take_over(fresh, meta)
                dataset = Dataset(self.handle, meta.title, version, status, meta.is_private)
            else:
                meta = metadata_of(self.client, self.handle)[0] if status else Metadata(self.handle, self.title, is_private=self.private)
                self._keep(retain, there)
                self._take_over(fresh, meta)
                terms = self.terms if status else Terms(True, True, self.terms.timeout_s, self.terms.poll_s)
                # The same comment for the same wheels: a call that was cut is found again.
                dataset = publish(self.client, self.folder, meta, notes=(notes or after or "New wheels") if status else "", journal=self.journal, terms=terms)
        if clear_after:
            shutil.rmtree(self.folder)
        return LibraryDataset(lib or self.title, dataset, before, after, dataset.sent, checked)

    def _there(self) -> tuple[dict[str, int], str, int]:
        "Return the files, status and version of the dataset; ({}, '', 0) if there is none."
        if dataset_service.find(self.client, self.handle) is None:
            return {}, "", 0
        ends = time.monotonic() + self.terms.timeout_s
        status, version = dataset_service.wait_settled(self.client, self.handle, ends=ends, poll_s=self.terms.poll_s)
        if status not in dataset_service.SETTLED:
            raise dataset_service.still_processing(self.handle, status, self.terms.timeout_s)
        return (dataset_service.files_of(self.client, self.handle) if status == "READY" else {}), status, version

    def _is_same(self, fresh: Path, there: dict[str, int]) -> bool:
        "Say whether the dataset has exactly the wheels in `fresh`: names, sizes and hashes."
        ours = {p.name: p.stat().st_size for p in fresh.iterdir()}
        if SUMS not in there or any(there.get(name) != size for name, size in ours.items()):
            return False
        if any(name.endswith(".whl") and name not in ours for name in there):
            return False
        try:
            with TemporaryDirectory(prefix="fkp-") as work:
                sums = fetch_file(self.client, self.handle, SUMS, Path(work))
                return sums.read_text(encoding="utf-8") == (fresh / SUMS).read_text(encoding="utf-8")
        except (NotFound, DownloadCorrupt, UnicodeDecodeError):
            return False

    def _keep(self, retain: Sequence[str], there: dict[str, int]) -> None:
        "Fetch the files of the dataset that its next version keeps, unless they are here."
        self.folder.mkdir(parents=True, exist_ok=True)
        for name in retain:
            if name in there and name != METADATA and not (self.folder / name).exists():
                with TemporaryDirectory(prefix="fkp-") as work:
                    shutil.move(fetch_file(self.client, self.handle, name, Path(work)), self.folder / name)

    def _take_over(self, fresh: Path, meta: Metadata) -> None:
        "Replace the wheels in the local copy; other files in it stay."
        self.folder.mkdir(parents=True, exist_ok=True)
        for old in self.folder.iterdir():
            if old.suffix == ".whl" or old.name in ("empty.txt", SUMS):
                old.unlink()
        for new in fresh.iterdir():
            new.replace(self.folder / new.name)
        write_metadata(self.folder, meta)


def _fetch(wanted: list[str], folder: Path, pip_cmd: str, python_version: Any, platforms: Any, *, deps: bool, without: Iterable[str]) -> list[Path]:
    pip, roots = pip_download.pip_base(pip_cmd), _named(wanted)
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="fkp-") as work:
        arguments = _with_own(wanted, Path(work), pip)
        if any(a.startswith("-") for a in arguments):   # options go in a file only
            (Path(work) / "requirements.txt").write_text("\n".join(arguments) + "\n", encoding="utf-8")
            arguments = ["-r", str(Path(work) / "requirements.txt")]
        found: list[Wheel] = pip_download.fetch(arguments, roots, folder, targets=_targets(python_version, platforms), pip=pip, deps=deps, without=without)
    return [w.path for w in found]


def _with_own(wanted: list[str], work: Path, pip: Sequence[str]) -> list[str]:
    "Put a wheel of this package in the place of its name: an index may have another package of that name."
    arguments = []
    for line in wanted:
        requirement = _requirement(line)
        if requirement and not requirement.url and canonicalize_name(requirement.name) == canonicalize_name(own_wheel.NAME):
            wheel = own_wheel.build_own_wheel(work, pip=pip)
            extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
            line = f"{wheel}{extras}"
        arguments.append(line)
    return arguments


def _lines(file: Path) -> list[str]:
    "Return what a requirements file asks for, files it includes opened."
    if not file.is_file():
        raise DatasetFailed(f"There is no file {str(file)!r}. Give the path of a requirements.txt.")
    lines = []
    for line in re.sub(r"\\\r?\n", " ", file.read_text(encoding="utf-8")).splitlines():
        line = re.sub(r"(^|\s)#.*", "", line).strip()
        option = re.match(r"(-r|--requirement|-c|--constraint)[\s=]\s*(\S+)", line)
        if option and option[1] in ("-r", "--requirement"):
            lines += _lines(file.parent / option[2])
        elif option:
            lines.append(f"-c {(file.parent / option[2]).absolute()}")
        elif line:
            lines.append(line)
    if not lines:
        raise DatasetFailed(f"{file} asks for nothing. Write one library a line.")
    return lines


def _named(wanted: Iterable[str]) -> list[Requirement]:
    "Return the requirements among pip's arguments. Raises DatasetFailed if there is none."
    found = [r for r in map(_requirement, wanted) if r]
    if not found:
        wheels.requirement_of(next(iter(wanted), ""))
    return found


def _requirement(line: str) -> Requirement | None:
    if line.startswith("-"):
        return None
    line = re.split(r"\s--hash", line)[0].strip()
    if line.endswith(".whl") and Path(line).is_file():
        [wheel] = [w for w in wheels.wheels_in(Path(line).parent) if w.path.name == Path(line).name]
        return Requirement(f"{wheel.name}=={wheel.version}")
    try:
        return Requirement(line)
    except InvalidRequirement:
        return None


def _targets(python_version: str | Sequence[str], platforms: Sequence[str]) -> list[Target]:
    versions = [python_version] if isinstance(python_version, str) else list(python_version)
    for version in versions:
        if not re.fullmatch(r"3\.\d+", version):
            raise DatasetFailed(f"python_version = {version!r} is no Python version. Write '3.12', or several.")
    return [Target(v, tuple(platforms)) for v in versions]


def _sha256(path: Path) -> str:
    with open(path, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()
