"""Wheels: the Python versions they fit, their names, and the libraries they need."""

import email
import sys
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from packaging.markers import default_environment
from packaging.requirements import Requirement
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

KAGGLE_PYTHONS = ("3.11", "3.12")  # of the current images; a notebook may be pinned to the older
# every Linux with a C library as old as the images' or older: pip does not add older ones itself
KAGGLE_PLATFORMS = (
    *(f"manylinux_2_{n}_x86_64" for n in range(31, 16, -1)),
    *(f"manylinux{year}_x86_64" for year in (2014, 2010, 1)),
    "linux_x86_64",
)


@dataclass(frozen=True)
class Target:
    """A Python version and its platforms."""

    python: str  # "3.12"
    platforms: tuple[str, ...] = KAGGLE_PLATFORMS

    @cached_property
    def tags(self) -> frozenset[Tag]:
        """The tags of wheels that it can install."""
        major, minor = (int(n) for n in self.python.split(".")[:2])
        cpython = cpython_tags((major, minor), platforms=self.platforms)
        python = compatible_tags((major, minor), f"cp{major}{minor}", self.platforms)
        return frozenset([*cpython, *python])

    @property
    def environment(self) -> dict[str, str]:
        """The values of a requirement's markers there."""
        is_arm = all(p.endswith("aarch64") for p in self.platforms)
        return {
            **{name: str(value) for name, value in default_environment().items()},
            "implementation_name": "cpython",
            "implementation_version": f"{self.python}.10",
            "os_name": "posix",
            "platform_machine": "aarch64" if is_arm else "x86_64",
            "platform_python_implementation": "CPython",
            "platform_system": "Linux",
            "platform_release": "",
            "platform_version": "",
            "python_version": self.python,
            "python_full_version": f"{self.python}.10",
            "sys_platform": "linux",
        }

    @property
    def is_here(self) -> bool:
        """Whether the running Python can install its wheels."""
        here = f"{sys.version_info[0]}.{sys.version_info[1]}"
        has_tags = bool(self.tags & frozenset(cpython_tags()))
        return sys.platform == "linux" and self.python == here and has_tags


@dataclass(frozen=True)
class Wheel:
    """A wheel on disk."""

    path: Path
    name: str  # canonical
    version: Version
    tags: frozenset[Tag] = field(repr=False)

    @cached_property
    def metadata(self) -> email.message.Message:
        """The contents of its METADATA file."""
        with zipfile.ZipFile(self.path) as z:
            [name] = [
                n for n in z.namelist() if n.count("/") == 1 and n.endswith(".dist-info/METADATA")
            ]
            return email.message_from_bytes(z.read(name))

    @property
    def requires(self) -> list[Requirement]:
        """The libraries it needs."""
        return [Requirement(r) for r in self.metadata.get_all("Requires-Dist") or []]

    def fits(self, target: Target) -> bool:
        """Say whether `target` can install it."""
        try:
            wanted = SpecifierSet(self.metadata.get("Requires-Python") or "")
        except InvalidSpecifier:
            wanted = SpecifierSet()
        return bool(self.tags & target.tags) and wanted.contains(
            f"{target.python}.10", prereleases=True
        )

    @property
    def modules(self) -> list[str]:
        """The names to import it by: its top-level modules without tests and private ones."""
        with zipfile.ZipFile(self.path) as z:
            paths = [n.split("/") for n in z.namelist()]
        names = {p[0] for p in paths if len(p) == 2 and p[1] == "__init__.py"}
        names |= {
            p[0].split(".")[0] for p in paths if len(p) == 1 and p[0].endswith((".py", ".so"))
        }
        names -= {"test", "tests", "docs", "examples"}
        return sorted(n for n in names if n.isidentifier() and not n.startswith("_"))


@dataclass(frozen=True)
class Pin:
    """A version that pip chose for a target."""

    name: str  # canonical
    version: Version
    requires: list[Requirement]
    file: str  # its path if it is a local file, else ""

    def fits(self, target: Target) -> bool:
        """Return True: pip chose it for the target."""
        return True

    @property
    def argument(self) -> str:
        """The argument that makes pip take exactly this version."""
        return self.file or f"{self.name}=={self.version}"


Release = Wheel | Pin


def read_wheel(path: Path) -> Wheel | None:
    """Return the wheel at a path; None if its name is not that of a wheel."""
    try:
        name, version, _, tags = parse_wheel_filename(path.name)
    except (InvalidWheelFilename, InvalidVersion):
        return None
    return Wheel(path, name, version, frozenset(tags))


def wheels_in(folder: Path) -> list[Wheel]:
    """Return the wheels in `folder`, by name and version."""
    found = [wheel for path in folder.glob("*.whl") if (wheel := read_wheel(path))]
    return sorted(found, key=lambda w: (w.name, w.version, w.path.name))


def version_of(
    library: str,
    names: Iterable[str],  # of files
) -> str | None:
    """Return the newest version of `library` among wheels and source archives of these names."""
    versions = []
    for file in names:
        parse = parse_wheel_filename if file.endswith(".whl") else parse_sdist_filename
        try:
            name, version, *_ = parse(file)
        except (InvalidWheelFilename, InvalidSdistFilename, InvalidVersion):
            continue
        if name == canonicalize_name(library):
            versions.append(version)
    return str(max(versions)) if versions else None


def walk(
    roots: Iterable[Requirement],
    known: Iterable[Release],
    target: Target,
    without: frozenset[str] = frozenset(),  # canonical names that are not followed
) -> tuple[list[Release], list[str]]:
    """Return the releases that `roots` need on `target`, and requirements that none satisfies."""
    usable = [release for release in known if release.fits(target)]
    queue, seen, missing = list(roots), set(), []
    reached: dict[str, Release] = {}
    while queue:
        wanted = queue.pop(0)
        name = canonicalize_name(wanted.name)
        if name in without or str(wanted) in seen or not _applies(wanted, target, {""}):
            continue
        seen.add(str(wanted))
        fitting = [r for r in usable if r.name == name and _satisfies(r, wanted)]
        if not fitting:
            missing.append(_without_marker(wanted))
            continue
        best = reached[name] = max(fitting, key=lambda r: r.version)
        extras = {"", *wanted.extras}
        needed = [r for r in best.requires if _applies(r, target, extras)]
        queue += [Requirement(_without_marker(r)) for r in needed]
    return list(reached.values()), missing


def _satisfies(release: Release, wanted: Requirement) -> bool:
    return bool(wanted.url) or wanted.specifier.contains(release.version, prereleases=True)


def _applies(requirement: Requirement, target: Target, extras: set[str]) -> bool:
    return requirement.marker is None or any(
        requirement.marker.evaluate({**target.environment, "extra": e}) for e in extras
    )


def _without_marker(requirement: Requirement) -> str:
    bare = Requirement(str(requirement))
    bare.marker = None
    return str(bare)
