"""One dataset of wheels, brought up to date: fetched, tried out, and sent only if a wheel changed."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from packaging.utils import canonicalize_name

from ...exceptions import DatasetFailed, NotFound
from ..datasets.lookup import list_files
from ..datasets.metadata import DEFAULT_LICENSE, check_names, slugify
from ..datasets.publish import Dataset, Terms
from ..datasets.sync import sync_dataset
from . import build, requirements, resolve
from . import wheel as wheels
from .check import check_wheels
from .wheel import Target


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
        self.client, self.title, self.owner, self.terms = client, title, username, terms
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
            lib = roots[0].name if len(roots) == 1 else ""
            before = wheels.version_of(lib, self._names_there()) or "" if lib else ""
            after = wheels.version_of(lib, (p.name for p in fresh.iterdir())) or "" if lib else ""
            self._take_over(fresh)
        # The same comment for the same wheels: a call that was cut is found again.
        dataset = sync_dataset(
            self.folder,
            self.title,
            owner=self.owner,
            license=DEFAULT_LICENSE,
            private=self.private,
            pattern="*.whl",
            retain=retain,
            notes=notes or after or "New wheels",
            client=self.client,
            timeout_s=self.terms.timeout_s,
            poll_s=self.terms.poll_s,
            journal=self.journal,
        )
        if clear_after:
            shutil.rmtree(self.folder)
        return LibraryDataset(lib or self.title, dataset, before, after, dataset.sent, checked)

    def _names_there(self) -> Iterable[str]:
        "Return the names of the dataset's files, none if there is no such dataset."
        try:
            return list_files(self.client, f"{self.owner}/{slugify(self.title)}")
        except NotFound:
            return ()

    def _take_over(self, fresh: Path) -> None:
        "Replace the wheels in the local copy; other files in it stay."
        self.folder.mkdir(parents=True, exist_ok=True)
        for old in self.folder.iterdir():
            if old.suffix == ".whl" or old.name == "empty.txt":
                old.unlink()
        for new in fresh.iterdir():
            new.replace(self.folder / new.name)


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
