"""One dataset of wheels, brought up to date: fetched, tried out, and sent only if a wheel changed."""

from __future__ import annotations

import hashlib
import re
import shutil
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from packaging.utils import canonicalize_name

from ...exceptions import DatasetFailed, DownloadCorrupt, NotFound
from ..datasets import lookup
from ..datasets.api import fetch_file, metadata_of
from ..datasets.metadata import METADATA, Metadata, check_names, slugify, write_metadata
from ..datasets.publish import Dataset, Terms, publish
from . import build, requirements, resolve
from . import wheel as wheels
from .check import check_wheels
from .wheel import Target

SUMS = "SHA256SUMS.txt"  # of the wheels, in the dataset: the service tells names and sizes only


@dataclass(frozen=True)
class LibraryDataset:
    "What became of one dataset of wheels."

    name: str  # of the library, or of the requirements' dataset
    dataset: Dataset
    version_before: str  # of the library on Kaggle, "" = none or not known
    version: str  # of the library now
    changed: bool  # a dataset or a version of it was made
    checked: str  # how the wheels were, in words


@dataclass(frozen=True)
class How:
    "How wheels are fetched."

    pip: list[str]  # the command
    targets: list[Target]
    deps: bool  # with what they need
    without: frozenset[str]  # but for these, by canonical name


def how_to(
    pip_cmd: str,
    python_version: str | Sequence[str],
    platforms: Sequence[str],
    *,
    deps: bool,
    without: Iterable[str],
) -> How:
    "Return how wheels are fetched. Raises DatasetFailed for what is no Python version."
    versions = [python_version] if isinstance(python_version, str) else list(python_version)
    for version in versions:
        if not re.fullmatch(r"3\.\d+", version):
            raise DatasetFailed(
                f"python_version = {version!r} is no Python version. Write '3.12', or several."
            )
    targets = [Target(v, tuple(platforms)) for v in versions]
    return How(
        resolve.pip_base(pip_cmd), targets, deps, frozenset(canonicalize_name(n) for n in without)
    )


class Sync:
    "One dataset of wheels, brought up to date."

    def __init__(
        self,
        client: Any,
        lib_path: Path,
        title: str,
        username: str,
        terms: Terms,
        *,
        private: bool,
        journal: Any,
    ):
        check_names(title, slugify(title))
        self.client, self.title, self.handle, self.terms = (
            client,
            title,
            f"{username}/{slugify(title)}",
            terms,
        )
        self.folder, self.private, self.journal = lib_path / title, private, journal

    def run(
        self,
        wanted: list[str],  # as on pip's command line, or the lines of a requirements file
        how: How,
        *,
        retain: Sequence[str] = (),  # files of the dataset that a new version keeps
        notes: str = "",  # of a new version; "" = the library's version
        clear_after: bool = False,  # delete the local copy at the end
    ) -> LibraryDataset:
        "Fetch and check the wheels, send them if any changed, and return what became of it."
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        roots = requirements.named(wanted)
        with TemporaryDirectory(prefix=".wheels-", dir=self.folder.parent) as temporary:
            fresh = Path(temporary)
            fetch_wheels(wanted, fresh, how)
            checked = check_wheels(
                fresh, roots, targets=how.targets, pip=how.pip, deps=how.deps, without=how.without
            )
            (fresh / SUMS).write_text(
                "".join(f"{_sha256(w.path)}  {w.path.name}\n" for w in wheels.wheels_in(fresh)),
                encoding="utf-8",
            )
            there, status, version = self._there()
            lib = roots[0].name if len(roots) == 1 else ""
            before, after = (
                wheels.version_of(lib, names) or "" if lib else ""
                for names in (there, (p.name for p in fresh.iterdir()))
            )
            if status == "READY" and self._is_same(fresh, there):
                meta = metadata_of(self.client, self.handle)[0]
                self._take_over(fresh, meta)
                dataset = Dataset(self.handle, meta.title, version, status, meta.is_private)
            else:
                meta = (
                    metadata_of(self.client, self.handle)[0]
                    if status
                    else Metadata(self.handle, self.title, is_private=self.private)
                )
                self._keep(retain, there)
                self._take_over(fresh, meta)
                terms = (
                    self.terms
                    if status
                    else Terms(True, True, self.terms.timeout_s, self.terms.poll_s)
                )
                # The same comment for the same wheels: a call that was cut is found again.
                dataset = publish(
                    self.client,
                    self.folder,
                    meta,
                    notes=(notes or after or "New wheels") if status else "",
                    journal=self.journal,
                    terms=terms,
                )
        if clear_after:
            shutil.rmtree(self.folder)
        return LibraryDataset(lib or self.title, dataset, before, after, dataset.sent, checked)

    def _there(self) -> tuple[dict[str, int], str, int]:
        "Return the files, status and version of the dataset; ({}, '', 0) if there is none."
        if lookup.find(self.client, self.handle) is None:
            return {}, "", 0
        ends = time.monotonic() + self.terms.timeout_s
        status, version = lookup.wait_settled(
            self.client, self.handle, ends=ends, poll_s=self.terms.poll_s
        )
        if status not in lookup.SETTLED:
            raise lookup.still_processing(self.handle, status, self.terms.timeout_s)
        return (
            (lookup.files_of(self.client, self.handle) if status == "READY" else {}),
            status,
            version,
        )

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
                return sums.read_text(encoding="utf-8") == (fresh / SUMS).read_text(
                    encoding="utf-8"
                )
        except (NotFound, DownloadCorrupt, UnicodeDecodeError):
            return False

    def _keep(self, retain: Sequence[str], there: dict[str, int]) -> None:
        "Fetch the files of the dataset that its next version keeps, unless they are here."
        self.folder.mkdir(parents=True, exist_ok=True)
        for name in retain:
            if name in there and name != METADATA and not (self.folder / name).exists():
                with TemporaryDirectory(prefix="fkp-") as work:
                    shutil.move(
                        fetch_file(self.client, self.handle, name, Path(work)), self.folder / name
                    )

    def _take_over(self, fresh: Path, meta: Metadata) -> None:
        "Replace the wheels in the local copy; other files in it stay."
        self.folder.mkdir(parents=True, exist_ok=True)
        for old in self.folder.iterdir():
            if old.suffix == ".whl" or old.name in ("empty.txt", SUMS):
                old.unlink()
        for new in fresh.iterdir():
            new.replace(self.folder / new.name)
        write_metadata(self.folder, meta)


def fetch_wheels(
    wanted: list[str],  # as on pip's command line, or the lines of a requirements file
    folder: Path,
    how: How,
) -> list[Path]:
    "Put the wheels into `folder` and return their paths."
    roots = requirements.named(wanted)
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="fkp-") as work:
        arguments = _with_own(wanted, Path(work), how.pip)
        if any(a.startswith("-") for a in arguments):  # options go in a file only
            (Path(work) / "requirements.txt").write_text(
                "\n".join(arguments) + "\n", encoding="utf-8"
            )
            arguments = ["-r", str(Path(work) / "requirements.txt")]
        found = resolve.fetch(
            arguments,
            roots,
            folder,
            targets=how.targets,
            pip=how.pip,
            deps=how.deps,
            without=how.without,
        )
    return [w.path for w in found]


def _with_own(wanted: list[str], work: Path, pip: Sequence[str]) -> list[str]:
    "Put a wheel of this package in the place of its name: an index may have another package of that name."
    arguments = []
    for line in wanted:
        requirement = requirements.requirement(line)
        if (
            requirement
            and not requirement.url
            and canonicalize_name(requirement.name) == canonicalize_name(build.NAME)
        ):
            wheel = build.build_own_wheel(work, pip=pip)
            extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
            line = f"{wheel}{extras}"
        arguments.append(line)
    return arguments


def _sha256(path: Path) -> str:
    with open(path, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()
