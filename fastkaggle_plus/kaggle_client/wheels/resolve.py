"""Download wheels for Kaggle's Python with pip, on any machine."""

import contextlib
import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import unquote, urlsplit

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from ...exceptions import DatasetFailed
from . import build
from .requirements import parse_requirement, parse_requirements
from .wheel import Pin, Target, Wheel, read_wheel, walk, wheels_in

_MAX_ROUNDS = 20


@dataclass(frozen=True)
class PipOptions:
    """Options for downloading wheels."""

    pip: list[str]  # the command
    targets: list[Target]
    deps: bool  # with the libraries they need
    without: frozenset[str]  # except these and what only they need, by canonical name


def pip_options(
    pip_cmd: str,  # "pip" = that of this Python
    python_version: str | Sequence[str],
    platforms: Sequence[str],
    *,
    deps: bool,
    without: Iterable[str],
) -> PipOptions:
    """Return the options for pip. Raises DatasetFailed for an invalid Python version."""
    versions = [python_version] if isinstance(python_version, str) else list(python_version)
    for version in versions:
        if not re.fullmatch(r"3\.\d+", version):
            raise DatasetFailed(
                f"python_version = {version!r} is not a Python version. Write '3.12', or several."
            )
    pip = [sys.executable, "-m", "pip"] if pip_cmd == "pip" else shlex.split(pip_cmd)
    targets = [Target(version, tuple(platforms)) for version in versions]
    return PipOptions(pip, targets, deps, frozenset(map(canonicalize_name, without)))


def fetch_wheels(
    wanted: list[str],  # pip's arguments, or the lines of a requirements file
    folder: Path,
    options: PipOptions,
) -> list[Wheel]:
    """Download wheels for every target into `folder` and return them. Raises DatasetFailed."""
    roots = parse_requirements(wanted)
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="fkp-") as work:
        arguments = _with_own_wheel(wanted, Path(work), options.pip)
        if any(a.startswith("-") for a in arguments):  # pip takes such options only from a file
            lines = Path(work) / "requirements.txt"
            lines.write_text("\n".join(arguments) + "\n", encoding="utf-8")
            arguments = ["-r", str(lines)]
        for target in options.targets:
            request = _Request(arguments, roots, folder, target, options)
            if not options.deps:
                if others := [a for a in arguments if not _copied(a, folder, target)]:
                    request.download(others, "--no-deps")
            elif options.without:
                request.download([pin.argument for pin in request.resolve()], "--no-deps")
            else:
                request.download_all()
    return wheels_in(folder)


def _with_own_wheel(wanted: list[str], work: Path, pip: Sequence[str]) -> list[str]:
    """Replace this package's name by a wheel of it: an index may have another package so named."""
    arguments = []
    for line in wanted:
        requirement = parse_requirement(line)
        if requirement and not requirement.url:
            if canonicalize_name(requirement.name) == canonicalize_name(build.NAME):
                extras = ",".join(sorted(requirement.extras))
                line = f"{build.build_own_wheel(work, pip=pip)}{f'[{extras}]' if extras else ''}"
        arguments.append(line)
    return arguments


def _copied(argument: str, folder: Path, target: Target) -> bool:
    """Copy a wheel that is given by its path and fits `target`; return False for all others."""
    wheel = read_wheel(Path(argument)) if Path(argument).is_file() else None
    if wheel is None or not wheel.fits(target):
        return False  # pip downloads it, or says why it does not fit
    with contextlib.suppress(shutil.SameFileError):
        shutil.copy2(wheel.path, folder)
    return True


@dataclass(frozen=True)
class _Request:
    """A request for wheels of some libraries, for one target."""

    wanted: list[str]  # pip's arguments
    roots: list[Requirement]  # the same as requirements
    folder: Path
    target: Target
    options: PipOptions

    def download_all(self) -> None:
        """Download the wheels and everything they need.

        pip evaluates the markers of this Python, not the target's. Requirements that only the
        target has are added by name and resolved together with the others.
        """
        more: list[str] = []
        for _ in range(_MAX_ROUNDS):
            self.download([*self.wanted, *more])
            _, missing = walk(self.roots, wheels_in(self.folder), self.target)
            if not set(missing) - set(more):
                break
            more += missing
        if missing:
            raise self._conflict(missing)

    def resolve(self) -> list[Pin]:
        """Return the versions that pip would install, except `without` and what only it needs."""
        more: list[str] = []
        for _ in range(_MAX_ROUNDS):
            chosen = self._dry_run([*self.wanted, *more])
            reached, missing = walk(self.roots, chosen, self.target, self.options.without)
            if not missing:
                return [pin for pin in chosen if pin in reached]
            if not set(missing) - set(more):
                break
            more += missing
        raise self._conflict(missing)

    def download(self, wanted: list[str], *flags: str) -> None:
        """Run pip download."""
        self._run_pip(["download", "-d", str(self.folder), *flags], wanted)

    def _dry_run(self, wanted: list[str]) -> list[Pin]:
        with TemporaryDirectory(prefix="fkp-") as work:
            report, nowhere = Path(work) / "report.json", str(Path(work) / "none")
            flags = [
                "--dry-run",
                "--ignore-installed",
                "--report",
                str(report),
                "--target",
                nowhere,
            ]
            self._run_pip(["install", *flags], wanted)
            return [_pin(one) for one in json.loads(report.read_text(encoding="utf-8"))["install"]]

    def _run_pip(self, command: list[str], wanted: list[str]) -> None:
        pip, python = self.options.pip, self.target.python
        flags = ["-q", "--disable-pip-version-check", "--only-binary=:all:"]
        flags += ["--implementation", "cp", "--python-version", python]
        for platform in self.target.platforms:
            flags += ["--platform", platform]
        whole = [*pip, *command, *flags, "--find-links", str(self.folder), *wanted]
        try:
            done = subprocess.run(whole, capture_output=True, text=True, check=False)
        except FileNotFoundError as e:
            raise DatasetFailed(
                f"{pip[0]!r} was not found. Leave `pip_cmd` out, or name a pip that is installed."
            ) from e
        if "No module named pip" in done.stderr:
            raise DatasetFailed(
                f"{pip[0]} has no pip. Add it with `python -m ensurepip`, or name another with "
                "`pip_cmd`."
            )
        if done.returncode:
            lines = (done.stdout + done.stderr).splitlines()
            output = "\n".join(x for x in lines if x.strip() and not x.startswith("WARNING"))
            raise DatasetFailed(
                f"pip found no wheels of {' '.join(wanted)} for Python {python} on Kaggle. Nothing "
                "was sent. If a library has no wheels, build one first (`pip wheel NAME`) and give "
                f"its path. Output of pip: {output[-1500:]}"
            )

    def _conflict(self, missing: Sequence[str]) -> DatasetFailed:
        return DatasetFailed(
            f"The requirements of {', '.join(map(str, self.roots))} conflict on Python "
            f"{self.target.python}: no wheel for {', '.join(missing)}. Nothing was sent. Ask for "
            "other versions."
        )


def _pin(entry: dict) -> Pin:
    metadata, url = entry["metadata"], urlsplit(entry["download_info"]["url"])
    return Pin(
        canonicalize_name(metadata["name"]),
        Version(metadata["version"]),
        [Requirement(r) for r in metadata.get("requires_dist") or []],
        unquote(url.path) if url.scheme == "file" else "",
    )
