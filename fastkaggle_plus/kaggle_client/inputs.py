"""Competition data inside a Kaggle notebook: mounted, not downloaded."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

from .. import environment
from ..exceptions import KaggleError, NotFound

_NOT_COMPETITIONS = {
    "datasets",
    "notebooks",
    "models",
}  # somebody's dataset may have the competition's name


def find_mounted(slug: str) -> Path:
    "Return where Kaggle mounted the data of `slug`: the layout of 2026, the older one, then any other place that is not for something else."
    root = environment.kaggle_input()
    known = [root / "competitions" / slug, root / slug, Path("../input") / slug]
    found = [p for p in known if p.is_dir()] or sorted(
        p
        for depth in ("*/", "*/*/")
        for p in root.glob(depth + slug)
        if p.is_dir() and p.relative_to(root).parts[0] not in _NOT_COMPETITIONS
    )
    if not found:
        raise NotFound(
            f"The data of {slug!r} is not attached to this notebook. Attached: {', '.join(attached(root)) or 'nothing'}. "
            f"Use Add Input > Competition, or put {slug!r} into competition_sources of the notebook's metadata."
        )
    return found[0]


def attached(root: Path) -> list[str]:
    "Return what is mounted below `root`, groups like competitions/ opened."
    if not root.is_dir():
        return []
    groups = ("competitions", "datasets", "notebooks", "models")
    return sorted(
        q.relative_to(root).as_posix()
        for p in root.iterdir()
        for q in (p.iterdir() if p.name in groups and p.is_dir() else [p])
    )


def pip_install(
    requirements: str,  # as on pip's command line, quotes allowed: 'fastai "timm>=0.9"'
) -> None:
    "Install or upgrade `requirements`, and raise if that failed and they are not there already."
    try:
        wanted = shlex.split(requirements)
    except ValueError as e:
        raise KaggleError(
            f"install = {requirements!r} does not read as a list of packages: {e}."
        ) from e
    failed = _pip("-U", *wanted)
    # Without internet pip cannot look for upgrades; what is installed may do.
    if failed is None or _pip("--no-index", *wanted) is None:
        return
    raise KaggleError(
        f"pip could not install {requirements!r}. Switch this notebook's internet on (Settings > Internet); where the "
        "competition forbids it, attach a dataset of wheels and use "
        f"install='--no-index --find-links /kaggle/input/DATASET NAME'. pip said: {failed}"
    )


def _pip(*arguments: str) -> str | None:
    "Return None if pip succeeded, else the tail of what it said."
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    return (
        None
        if done.returncode == 0
        else "\n".join((done.stdout + done.stderr).strip().splitlines()[-8:])
    )
