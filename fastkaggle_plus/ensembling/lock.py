"""Lock files: which members and options made an ensemble, to make the same bytes again."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from ..exceptions import DataError, listed
from ..predictions import Predictions
from .combine import ensemble

_PACKAGES = ("numpy", "scipy", "scikit-learn")  # that fit weights


def write_lock(
    preds: Predictions, members: Sequence[Predictions], file: str | Path = "ensemble.lock"
) -> Path:
    """Write the options, the weights and a hash of each member, for `rebuild`."""
    order = {name: i for i, name in enumerate(preds.about["weights"])}
    facts = {
        **preds.about,
        "metric": preds.metric,
        "members": {m.name: _hash(m) for m in sorted(members, key=lambda m: order[m.name])},
        "name": preds.name,
        "made": _hash(preds),
        "versions": {name: version(name) for name in _PACKAGES},
    }
    lines = {k: facts[k] for k in sorted(facts)}  # members keep their order
    Path(file).write_text(json.dumps(lines, indent=2) + "\n")
    return Path(file)


def rebuild(file: str | Path, candidates: Iterable[Predictions]) -> Predictions:
    """Make the ensemble of a lock file again, with the same bytes.

    Its members are found by name and content, so `candidates` may hold several versions of a trial.
    Raises DataError if a member is missing, or if the result has other bytes.
    """
    lock = read_lock(file)
    wanted = lock["members"]
    found = {m.name: m for m in candidates if wanted.get(m.name) == _hash(m)}
    if missing := [f"{name} {digest}" for name, digest in wanted.items() if name not in found]:
        raise DataError(
            f"Cannot make the ensemble of {file} again: there are no predictions with the name and "
            f"hash {listed(missing)}. Run these trials again, with the code, data and packages of "
            "that time."
        )
    made = ensemble([found[name] for name in wanted], name=lock["name"], **lock["options"])
    if _hash(made) != lock["made"]:
        here = {name: version(name) for name in _PACKAGES}
        raise DataError(
            f"The same members gave other bytes than {file} has: expected {lock['made']}, got "
            f"{_hash(made)}. It was made with {lock['versions']}, here are {here}."
        )
    return made


def read_lock(file: str | Path) -> dict[str, Any]:
    """Return the facts of a lock file. Raises DataError when `rebuild` cannot use it."""
    try:
        facts: dict[str, Any] = json.loads(Path(file).read_text())
        missing = {"options", "members", "made", "name", "versions"} - set(facts)
    except (ValueError, TypeError) as e:
        raise DataError(f"{file} does not read as a lock of an ensemble: {e}.") from e
    if missing:
        raise DataError(
            f"{file} has no {listed(sorted(missing))}, so it does not say how its ensemble was "
            "made. Make the ensemble again and call write_lock, or `fkp run`."
        )
    return facts


def _hash(preds: Predictions) -> str:
    digest = hashlib.sha256()
    for array in (preds.oof, preds.test):
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()[:16]
