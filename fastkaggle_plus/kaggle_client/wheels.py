"""Wheels for Kaggle's Python and platform, wherever this runs: fetched with pip, complete by their own metadata."""

from __future__ import annotations

import email
import shlex
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from packaging.markers import default_environment
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import InvalidSdistFilename, InvalidWheelFilename, canonicalize_name, parse_sdist_filename, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from ..exceptions import DatasetFailed, MissingExtra

KAGGLE_PYTHONS = ("3.11", "3.12")   # of the images in use; a notebook may be pinned to the older
# Every Linux whose C library is no newer than that of the images: pip takes what is named and nothing older by itself.
KAGGLE_PLATFORMS = (*(f"manylinux_2_{n}_x86_64" for n in range(31, 16, -1)), "manylinux2014_x86_64", "manylinux2010_x86_64", "manylinux1_x86_64",
                    "linux_x86_64")
_MOST_ROUNDS = 20


@dataclass(frozen=True)
class Target:
    "One Python that wheels are for."
    python: str                     # "3.12"
    platforms: tuple[str, ...] = KAGGLE_PLATFORMS

    @cached_property
    def tags(self) -> frozenset[Tag]:
        "What a wheel may be tagged with."
        major, minor = (int(n) for n in self.python.split(".")[:2])
        cpython = cpython_tags((major, minor), platforms=self.platforms)
        return frozenset([*cpython, *compatible_tags((major, minor), f"cp{major}{minor}", self.platforms)])

    @property
    def environment(self) -> dict[str, str]:
        "What a requirement's marker sees there."
        machine = "aarch64" if all(p.endswith("aarch64") for p in self.platforms) else "x86_64"
        there = {"implementation_name": "cpython", "implementation_version": f"{self.python}.10", "os_name": "posix", "platform_machine": machine,
                 "platform_python_implementation": "CPython", "platform_system": "Linux", "platform_release": "", "platform_version": "",
                 "python_version": self.python, "python_full_version": f"{self.python}.10", "sys_platform": "linux"}
        return {**{k: str(v) for k, v in default_environment().items()}, **there}

    @property
    def is_here(self) -> bool:
        "Say whether this very Python can install them."
        return sys.platform == "linux" and self.python == f"{sys.version_info[0]}.{sys.version_info[1]}" and bool(self.tags & frozenset(cpython_tags()))


@dataclass(frozen=True)
class Wheel:
    "One wheel on disk."
    path: Path
    name: str       # canonical
    version: Version
    tags: frozenset[Tag] = field(repr=False)

    @cached_property
    def metadata(self) -> email.message.Message:
        with zipfile.ZipFile(self.path) as z:
            [name] = [n for n in z.namelist() if n.count("/") == 1 and n.endswith(".dist-info/METADATA")]
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
        return bool(self.tags & target.tags) and wanted.contains(f"{target.python}.10", prereleases=True)

    @property
    def modules(self) -> list[str]:
        "The names it can be imported by: what is at its top, tests and private parts left out."
        with zipfile.ZipFile(self.path) as z:
            paths = [n.split("/") for n in z.namelist()]
        found = {p[0] for p in paths if len(p) == 2 and p[1] == "__init__.py"} | {p[0].split(".")[0] for p in paths
                                                                                 if len(p) == 1 and p[0].endswith((".py", ".so"))}
        return sorted(n for n in found if n.isidentifier() and not n.startswith("_") and n not in ("test", "tests", "docs", "examples"))


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
    names: Iterable[str],   # of files
) -> str | None:
    "Return the newest version of `library` among wheels and source archives with these names. `a` is not `ab`; rc and post count."
    wanted, found = canonicalize_name(library), []
    for file in names:
        try:
            name, version = parse_wheel_filename(file)[:2] if file.endswith(".whl") else parse_sdist_filename(file)
        except (InvalidWheelFilename, InvalidSdistFilename, InvalidVersion):
            continue
        if name == wanted:
            found.append(version)
    return str(max(found)) if found else None


def pip_base(
    pip_cmd: str,   # "pip" = that of this Python
) -> list[str]:
    "Return the command that is pip."
    return [sys.executable, "-m", "pip"] if pip_cmd == "pip" else shlex.split(pip_cmd)


def fetch(
    wanted: Sequence[str],  # as on pip's command line: requirements, wheels, or -r and a file
    roots: Sequence[Requirement],   # the same as requirements; what they need is completed
    folder: Path,
    *,
    targets: Sequence[Target],
    pip: Sequence[str],
    deps: bool = True,      # with what they need
    without: Iterable[str] = (),    # libraries left out with what only they need: Kaggle's image has them
) -> list[Wheel]:
    "Put wheels for every target into `folder` and return them. Raises DatasetFailed."
    left_out = frozenset(canonicalize_name(n) for n in without)
    all_at_once = deps and not left_out
    folder.mkdir(parents=True, exist_ok=True)
    for target in targets:
        _download(wanted, folder, target, pip, deps=all_at_once)
        # pip asks the markers of this machine, not the target's; and it cannot leave anything out.
        for _ in range(_MOST_ROUNDS if deps else 0):
            missing = missing_of(roots, wheels_in(folder), target, left_out)
            if not missing:
                break
            _download(missing, folder, target, pip, deps=all_at_once)
        else:
            if deps and (missing := missing_of(roots, wheels_in(folder), target, left_out)):
                raise DatasetFailed(f"What {', '.join(map(str, roots))} needs on Python {target.python} does not fit together: no wheel for "
                                    f"{', '.join(missing)}. Nothing was sent. Ask for other versions.")
    return wheels_in(folder)


def missing_of(
    roots: Iterable[Requirement],
    wheels: Sequence[Wheel],
    target: Target,
    without: frozenset[str] = frozenset(),  # canonical names that need not be there
) -> list[str]:
    "Return the requirements, of `roots` and of all they lead to, that no wheel meets."
    usable: dict[str, list[Wheel]] = {}
    for wheel in wheels:
        if wheel.fits(target):
            usable.setdefault(wheel.name, []).append(wheel)
    queue, seen, missing = list(roots), set(), []
    while queue:
        wanted = queue.pop(0)
        name = canonicalize_name(wanted.name)
        if name in without or str(wanted) in seen or not _applies(wanted, target, {""}):
            continue
        seen.add(str(wanted))
        fitting = [w for w in usable.get(name, []) if wanted.url or wanted.specifier.contains(w.version, prereleases=True)]
        if not fitting:
            missing.append(_bare(wanted))
            continue
        best = max(fitting, key=lambda w: w.version)
        queue += [_unmarked(r) for r in best.requires if _applies(r, target, {"", *wanted.extras})]
    return missing


def requirement_of(text: str) -> Requirement:
    "Return what pip would call a requirement. Raises DatasetFailed."
    try:
        return Requirement(text)
    except InvalidRequirement as e:
        raise DatasetFailed(f"{text!r} is no library: {e}. Write a name, with a version if you like: 'fastcore==1.8.1'.") from e


def _applies(requirement: Requirement, target: Target, extras: set[str]) -> bool:
    return requirement.marker is None or any(requirement.marker.evaluate({**target.environment, "extra": e}) for e in extras)


def _unmarked(requirement: Requirement) -> Requirement:
    return Requirement(_bare(requirement))


def _bare(requirement: Requirement) -> str:
    extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
    return f"{requirement.name}{extras} @ {requirement.url}" if requirement.url else f"{requirement.name}{extras}{requirement.specifier}"


def _download(wanted: Sequence[str], folder: Path, target: Target, pip: Sequence[str], *, deps: bool) -> None:
    command = [*pip, "download", "-q", "--disable-pip-version-check", "--only-binary=:all:", "--implementation", "cp",
               "--python-version", target.python, *(a for p in target.platforms for a in ("--platform", p)), *([] if deps else ["--no-deps"]),
               "--find-links", str(folder), "-d", str(folder), *wanted]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError as e:
        raise DatasetFailed(f"{pip[0]!r} is not here. Leave `pip_cmd` out, or name a pip that is installed.") from e
    if "No module named pip" in done.stderr:
        raise MissingExtra("pip", "kaggle")
    if done.returncode:
        said = "\n".join(line for line in (done.stdout + done.stderr).strip().splitlines() if line.strip())[-1500:]
        raise DatasetFailed(f"pip found no wheels of {' '.join(wanted)} for Python {target.python} on Kaggle. Nothing was sent. A library without "
                            f"wheels is built first (`pip wheel NAME`) and given by its path. pip said: {said}")
