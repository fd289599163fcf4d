"""Find a competition's data inside a Kaggle notebook, where it is mounted, not downloaded."""

import shlex
import subprocess
import sys
from pathlib import Path

from .. import environment
from ..exceptions import KaggleError, NotFound

# A dataset, notebook or model may have the competition's name.
_OTHER_INPUTS = ("datasets", "notebooks", "models")


def find_mounted(slug: str) -> Path:
    """Return where Kaggle mounted the data of `slug`: in the new or old layout, or elsewhere."""
    root = environment.kaggle_input()
    known = [root / "competitions" / slug, root / slug, Path("../input") / slug]
    elsewhere = sorted((*root.glob(f"*/{slug}"), *root.glob(f"*/*/{slug}")))
    known += [p for p in elsewhere if p.relative_to(root).parts[0] not in _OTHER_INPUTS]
    found = [p for p in known if p.is_dir()]
    if not found:
        raise NotFound(
            f"The data of {slug!r} is not attached to this notebook. Attached: "
            f"{', '.join(_attached(root)) or 'nothing'}. Use Add Input > Competition, or add "
            f"{slug!r} to competition_sources in the notebook's metadata."
        )
    return found[0]


def pip_install(
    requirements: str,  # as on pip's command line, quotes allowed: 'fastai "timm>=0.9"'
) -> None:
    """Install or upgrade `requirements`. Raises KaggleError if that failed and they are missing."""
    try:
        wanted = shlex.split(requirements)
    except ValueError as e:
        raise KaggleError(
            f"install = {requirements!r} does not read as a list of packages: {e}."
        ) from e
    failure = _pip("-U", *wanted)
    # Without internet pip finds no upgrades; the installed versions may be enough.
    if not failure or not _pip("--no-index", *wanted):
        return
    raise KaggleError(
        f"pip could not install {requirements!r}. Switch this notebook's internet on (Settings > "
        "Internet); if the competition forbids it, attach a dataset of wheels and use "
        f"install='--no-index --find-links /kaggle/input/DATASET NAME'. pip said: {failure}"
    )


def _attached(root: Path) -> list[str]:
    """Return what is mounted below `root`; for groups like competitions/, their members."""
    if not root.is_dir():
        return []
    names = []
    for folder in root.iterdir():
        is_group = folder.name in ("competitions", *_OTHER_INPUTS) and folder.is_dir()
        members = folder.iterdir() if is_group else [folder]
        names += [p.relative_to(root).as_posix() for p in members]
    return sorted(names)


def _pip(*arguments: str) -> str:
    """Return '' if pip succeeded, else the end of its output."""
    command = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return ""
    return "\n".join((done.stdout + done.stderr).strip().splitlines()[-8:]) or "nothing"
