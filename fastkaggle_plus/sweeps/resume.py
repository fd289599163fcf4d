"""Decide which runs a sweep may resume from: a key per trial, of all that can change its result."""

import hashlib
import importlib.metadata
import platform
from pathlib import Path

from ..competition import COMPETITION_FILE, Competition
from ..data import Data
from ..folds import Folds
from .trial import Sweep, Trial
from .vault import run_key

_PACKAGE = Path(__file__).resolve().parent.parent
_NO_MODEL_CODE = ("notebook.py", "rehearsal.py", "trials.py")  # of a competition's folder
_VERSIONS = (
    *("numpy", "pandas", "scikit-learn", "scipy", "torch", "torchvision", "timm", "fastai"),
    *("transformers", "tokenizers", "lightgbm", "xgboost", "catboost"),
)


def run_keys(sweep: Sweep, comp: Competition, data: Data, folds: Folds) -> dict[str, str]:
    """Return the key of each trial's run in the vault, by the trial's name."""
    same = dict(
        data=data.fingerprint(), split=folds.fingerprint(), environment=environment_fingerprint()
    )
    return {
        t.name: run_key(trial=t.fingerprint(), code=code_fingerprint(comp, t), **same)
        for t in sweep.trials
    }


def code_fingerprint(comp: Competition, trial: Trial) -> str:
    """Return a hash of the code that a trial's result depends on.

    It covers models, tests, folds, metrics and readers, and the competition's folder without its
    notebook, rehearsal, list of trials and metric.py: stored predictions are scored again by it.
    A trials.py that defines the trial's model is included.
    """
    own = {f"{model.partition('.')[0]}.py" for model in trial.models}
    files = [_PACKAGE / f"{name}.py" for name in ("data", "folds")]
    for room in ("evidence", "metrics", "modeling", "reading"):
        files += sorted((_PACKAGE / room).rglob("*.py"))
    if comp.folder:
        files += [comp.folder / COMPETITION_FILE, *sorted(comp.folder.glob("*.py"))]
    others = {*_NO_MODEL_CODE, comp.own_metric_file}
    code = [f.read_bytes() for f in files if f.name in own or f.name not in others]
    return hashlib.sha256(b"\0".join(code)).hexdigest()[:16]


def environment_fingerprint() -> str:
    """Return the versions that a result depends on."""
    found = [f"python {platform.python_version()} {platform.machine()}"]
    for name in _VERSIONS:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return " ".join(found)
