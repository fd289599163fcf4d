"""Wheels out of pip for Kaggle's Python, wherever this runs: resolved together, without what Kaggle has."""

from __future__ import annotations

import json
import shlex
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
from .wheel import Target, Wheel, walk, wheels_in

_MOST_ROUNDS = 20


@dataclass(frozen=True)
class Pin:
    "One version that pip chose."

    name: str  # canonical
    version: Version
    requires: list[Requirement]
    file: str  # its path where it is a file here, else ""

    def fits(self, target: Target) -> bool:
        "Say that `target` can install it: it was chosen for that."
        return True

    @property
    def argument(self) -> str:
        "What makes pip take just this one."
        return self.file or f"{self.name}=={self.version}"


def pip_base(
    pip_cmd: str,  # "pip" = that of this Python
) -> list[str]:
    "Return the command that is pip."
    return [sys.executable, "-m", "pip"] if pip_cmd == "pip" else shlex.split(pip_cmd)


def fetch(
    wanted: Sequence[str],  # as on pip's command line: requirements, wheels, or -r and a file
    roots: Sequence[Requirement],  # the same as requirements
    folder: Path,
    *,
    targets: Sequence[Target],
    pip: Sequence[str],
    deps: bool = True,  # with what they need
    without: Iterable[str] = (),  # libraries left out with what only they need
) -> list[Wheel]:
    "Put wheels for every target into `folder` and return them. Raises DatasetFailed."
    left_out = frozenset(canonicalize_name(n) for n in without)
    folder.mkdir(parents=True, exist_ok=True)
    for target in targets:
        if not deps:
            _download(wanted, folder, target, pip, "--no-deps")
        elif left_out:
            pins = _resolve(wanted, roots, folder, target, pip, left_out)
            _download([p.argument for p in pins], folder, target, pip, "--no-deps")
        else:
            _complete(wanted, roots, folder, target, pip)
    return wheels_in(folder)


def _complete(
    wanted: Sequence[str],
    roots: Sequence[Requirement],
    folder: Path,
    target: Target,
    pip: Sequence[str],
) -> None:
    "Download all of it. pip asks the markers of this Python, not the target's: what those leave out is asked for by name, together with the rest."
    more: list[str] = []
    for _ in range(_MOST_ROUNDS):
        _download([*wanted, *more], folder, target, pip)
        _, missing = walk(roots, wheels_in(folder), target)
        if not set(missing) - set(more):
            break
        more += missing
    if missing:
        raise _unfit(roots, target, missing)


def _resolve(
    wanted: Sequence[str],
    roots: Sequence[Requirement],
    folder: Path,
    target: Target,
    pip: Sequence[str],
    without: frozenset[str],
) -> list[Pin]:
    "Return what pip would install for the target, but for `without` and what only that needs."
    more: list[str] = []
    for _ in range(_MOST_ROUNDS):
        with TemporaryDirectory(prefix="fkp-") as work:
            report = Path(work) / "report.json"
            _run(
                [
                    *pip,
                    "install",
                    "--dry-run",
                    "--ignore-installed",
                    "--report",
                    str(report),
                    "--target",
                    str(Path(work) / "none"),
                ],
                [*wanted, *more],
                folder,
                target,
            )
            chosen = [
                _pin(one) for one in json.loads(report.read_text(encoding="utf-8"))["install"]
            ]
        reached, missing = walk(roots, chosen, target, without)
        if not missing:
            return [p for p in chosen if p in reached]
        if not set(missing) - set(more):
            break
        more += missing
    raise _unfit(roots, target, missing)


def _pin(one: dict) -> Pin:
    facts, place = one["metadata"], urlsplit(one["download_info"]["url"])
    return Pin(
        canonicalize_name(facts["name"]),
        Version(facts["version"]),
        [Requirement(r) for r in facts.get("requires_dist") or []],
        unquote(place.path) if place.scheme == "file" else "",
    )


def _download(
    wanted: Sequence[str], folder: Path, target: Target, pip: Sequence[str], *options: str
) -> None:
    _run([*pip, "download", "-d", str(folder), *options], wanted, folder, target)


def _run(command: Sequence[str], wanted: Sequence[str], folder: Path, target: Target) -> None:
    whole = [
        *command,
        "-q",
        "--disable-pip-version-check",
        "--only-binary=:all:",
        "--implementation",
        "cp",
        "--python-version",
        target.python,
        *(a for p in target.platforms for a in ("--platform", p)),
        "--find-links",
        str(folder),
        *wanted,
    ]
    try:
        done = subprocess.run(whole, capture_output=True, text=True, check=False)
    except FileNotFoundError as e:
        raise DatasetFailed(
            f"{command[0]!r} is not here. Leave `pip_cmd` out, or name a pip that is installed."
        ) from e
    if "No module named pip" in done.stderr:
        raise DatasetFailed(
            f"{command[0]} has no pip. Add it with `python -m ensurepip`, or name another with `pip_cmd`."
        )
    if done.returncode:
        said = "\n".join(
            line
            for line in (done.stdout + done.stderr).splitlines()
            if line.strip() and not line.startswith("WARNING")
        )[-1500:]
        raise DatasetFailed(
            f"pip found no wheels of {' '.join(wanted)} for Python {target.python} on Kaggle. Nothing was sent. A library without "
            f"wheels is built first (`pip wheel NAME`) and given by its path. pip said: {said}"
        )


def _unfit(roots: Sequence[Requirement], target: Target, missing: Sequence[str]) -> DatasetFailed:
    return DatasetFailed(
        f"What {', '.join(map(str, roots))} needs on Python {target.python} does not fit together: no wheel for "
        f"{', '.join(missing)}. Nothing was sent. Ask for other versions."
    )
