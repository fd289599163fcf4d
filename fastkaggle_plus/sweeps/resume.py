"""Decide which runs a sweep may resume from: a key per trial, of all that can change its result."""

import hashlib
import importlib.metadata
import platform
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from ..competition import Competition
from ..data import Data
from ..folds import Folds, is_refit
from .own_code import own_code
from .trial import Sweep, Trial

_PACKAGE = Path(__file__).resolve().parent.parent
_VERSIONS = (
    *("numpy", "pandas", "scikit-learn", "scipy", "torch", "torchvision", "timm", "fastai"),
    *("transformers", "tokenizers", "lightgbm", "xgboost", "catboost"),
)


def run_parts(
    sweep: Sweep,
    comp: Competition,
    data: Data,
    splits: Mapping[int, Folds],  # by repeat, see `splits_of`
    *,
    versions: bool = True,  # False: leave out the versions of packages, which machines differ in
) -> dict[str, dict[str, str]]:
    """Return, by the trial's name, the parts of its run's key: see `run_key`."""
    same, hashes = dict(data=data.fingerprint()), {k: s.fingerprint() for k, s in splits.items()}
    if versions:
        same["environment"] = environment_fingerprint()
    if is_refit(sweep.test, splits[1].kind):
        same["test"] = "refit"
    return {
        t.name: dict(
            trial=t.fingerprint(),
            split=hashes[t.repeat],
            code=code_fingerprint(comp, t, versions=versions),
            **same,
        )
        for t in sweep.trials
    }


def code_fingerprint(comp: Competition, trial: Trial, *, versions: bool = True) -> str:
    """Return a hash of the code that a trial's result depends on.

    It covers the package's models, folds, metrics and readers, and of the competition's folder what
    the trial uses, see `own_code`; not its metric.py, because stored predictions are scored again.
    """
    code = [package_code(), *own_code(comp, trial, versions=versions)]
    return hashlib.sha256("\0".join(code).encode()).hexdigest()[:16]


@cache
def package_code() -> str:
    """Return a hash of this package's code that results depend on."""
    files = [_PACKAGE / f"{name}.py" for name in ("data", "folds")]
    for room in ("evidence", "metrics", "modeling", "reading"):
        files += sorted((_PACKAGE / room).rglob("*.py"))
    return hashlib.sha256(b"\0".join(f.read_bytes() for f in files)).hexdigest()


def environment_fingerprint() -> str:
    """Return the versions that a result depends on."""
    found = [f"python {platform.python_version()} {platform.machine()}"]
    for name in _VERSIONS:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return " ".join(found)
