"""Wheels: which Python they are for, what they are called, and what they need by their own metadata."""

from __future__ import annotations

import email
import sys
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Protocol

from packaging.markers import default_environment
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version

from ...exceptions import DatasetFailed

KAGGLE_PYTHONS = ("3.11", "3.12")  # of the images in use; a notebook may be pinned to the older
# Every Linux whose C library is no newer than that of the images: pip takes what is named and nothing older by itself.
KAGGLE_PLATFORMS = (
    *(f"manylinux_2_{n}_x86_64" for n in range(31, 16, -1)),
    "manylinux2014_x86_64",
    "manylinux2010_x86_64",
    "manylinux1_x86_64",
    "linux_x86_64",
)
# What the image brings, for `without`: large, or tied to its drivers. Versions are the image's.
KAGGLE_HAS = (
    "catboost",
    "fastai",
    "ipython",
    "jupyter",
    "keras",
    "lightgbm",
    "matplotlib",
    "numpy",
    "opencv-python",
    "pandas",
    "pillow",
    "protobuf",
    "pyarrow",
    "requests",
    "scikit-learn",
    "scipy",
    "seaborn",
    "tensorflow",
    "timm",
    "tokenizers",
    "torch",
    "torchaudio",
    "torchvision",
    "transformers",
    "xgboost",
)


@dataclass(frozen=True)
class Target:
    "One Python that wheels are for."

    python: str  # "3.12"
    platforms: tuple[str, ...] = KAGGLE_PLATFORMS

    @cached_property
    def tags(self) -> frozenset[Tag]:
        "What a wheel may be tagged with."
        major, minor = (int(n) for n in self.python.split(".")[:2])
        cpython = cpython_tags((major, minor), platforms=self.platforms)
        return frozenset(
            [*cpython, *compatible_tags((major, minor), f"cp{major}{minor}", self.platforms)]
        )

    @property
    def environment(self) -> dict[str, str]:
        "What a requirement's marker sees there."
        machine = "aarch64" if all(p.endswith("aarch64") for p in self.platforms) else "x86_64"
        there = {
            "implementation_name": "cpython",
            "implementation_version": f"{self.python}.10",
            "os_name": "posix",
            "platform_machine": machine,
            "platform_python_implementation": "CPython",
            "platform_system": "Linux",
            "platform_release": "",
            "platform_version": "",
            "python_version": self.python,
            "python_full_version": f"{self.python}.10",
            "sys_platform": "linux",
        }
        return {**{k: str(v) for k, v in default_environment().items()}, **there}

    @property
    def is_here(self) -> bool:
        "Say whether this very Python can install them."
        return (
            sys.platform == "linux"
            and self.python == f"{sys.version_info[0]}.{sys.version_info[1]}"
            and bool(self.tags & frozenset(cpython_tags()))
        )


class Release(Protocol):
    "One version of a library, on disk or not."

    @property
    def name(self) -> str: ...  # canonical

    @property
    def version(self) -> Version: ...

    @property
    def requires(self) -> list[Requirement]: ...

    def fits(self, target: Target) -> bool: ...


@dataclass(frozen=True)
class Wheel:
    "One wheel on disk."

    path: Path
    name: str  # canonical
    version: Version
    tags: frozenset[Tag] = field(repr=False)

    @cached_property
    def metadata(self) -> email.message.Message:
        with zipfile.ZipFile(self.path) as z:
            [name] = [
                n for n in z.namelist() if n.count("/") == 1 and n.endswith(".dist-info/METADATA")
            ]
            return email.message_from_bytes(z.read(name))

    @property
    def requires(self) -> list[Requirement]:
        return [Requirement(r) for r in self.metadata.get_all("Requires-Dist") or []]

    def fits(self, target: Target) -> bool:
        "Say whether `target` can install it."
        try:
            wanted = SpecifierSet(self.metadata.get("Requires-Python") or "")
        except InvalidSpecifier:
            wanted = SpecifierSet()
        return bool(self.tags & target.tags) and wanted.contains(
            f"{target.python}.10", prereleases=True
        )

    @property
    def modules(self) -> list[str]:
        "The names it can be imported by: what is at its top, tests and private parts left out."
        with zipfile.ZipFile(self.path) as z:
            paths = [n.split("/") for n in z.namelist()]
        found = {p[0] for p in paths if len(p) == 2 and p[1] == "__init__.py"} | {
            p[0].split(".")[0] for p in paths if len(p) == 1 and p[0].endswith((".py", ".so"))
        }
        return sorted(
            n
            for n in found
            if n.isidentifier()
            and not n.startswith("_")
            and n not in ("test", "tests", "docs", "examples")
        )


def wheels_in(folder: Path) -> list[Wheel]:
    "Return the wheels in `folder`, by name and version."
    found = []
    for path in folder.glob("*.whl"):
        try:
            name, version, _, tags = parse_wheel_filename(path.name)
        except (InvalidWheelFilename, InvalidVersion):
            continue
        found.append(Wheel(path, name, version, frozenset(tags)))
    return sorted(found, key=lambda w: (w.name, w.version, w.path.name))


def version_of(
    library: str,
    names: Iterable[str],  # of files
) -> str | None:
    "Return the newest version of `library` among wheels and source archives with these names. `a` is not `ab`; rc and post count."
    wanted, found = canonicalize_name(library), []
    for file in names:
        try:
            name, version = (
                parse_wheel_filename(file)[:2]
                if file.endswith(".whl")
                else parse_sdist_filename(file)
            )
        except (InvalidWheelFilename, InvalidSdistFilename, InvalidVersion):
            continue
        if name == wanted:
            found.append(version)
    return str(max(found)) if found else None


def walk(
    roots: Iterable[Requirement],
    known: Iterable[Release],
    target: Target,
    without: frozenset[str] = frozenset(),  # canonical names not followed
) -> tuple[list[Release], list[str]]:
    "Return what `roots` lead to on `target`, and the requirements on the way that nothing in `known` meets."
    usable: dict[str, list[Release]] = {}
    for release in known:
        if release.fits(target):
            usable.setdefault(release.name, []).append(release)
    queue, seen, missing = list(roots), set(), []
    reached: dict[str, Release] = {}
    while queue:
        wanted = queue.pop(0)
        name = canonicalize_name(wanted.name)
        if name in without or str(wanted) in seen or not _applies(wanted, target, {""}):
            continue
        seen.add(str(wanted))
        fitting = [
            r
            for r in usable.get(name, [])
            if wanted.url or wanted.specifier.contains(r.version, prereleases=True)
        ]
        if not fitting:
            missing.append(_bare(wanted))
            continue
        best = reached[name] = max(fitting, key=lambda r: r.version)
        queue += [
            Requirement(_bare(r))
            for r in best.requires
            if _applies(r, target, {"", *wanted.extras})
        ]
    return list(reached.values()), missing


def requirement_of(text: str) -> Requirement:
    "Return what pip would call a requirement. Raises DatasetFailed."
    try:
        return Requirement(text)
    except InvalidRequirement as e:
        raise DatasetFailed(
            f"{text!r} is no library: {e}. Write a name, with a version if you like: 'fastcore==1.8.1'."
        ) from e


def _applies(requirement: Requirement, target: Target, extras: set[str]) -> bool:
    return requirement.marker is None or any(
        requirement.marker.evaluate({**target.environment, "extra": e}) for e in extras
    )


def _bare(requirement: Requirement) -> str:
    extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
    return (
        f"{requirement.name}{extras} @ {requirement.url}"
        if requirement.url
        else f"{requirement.name}{extras}{requirement.specifier}"
    )
