"""Versions of a trial: what it gave before its features, code or parameters changed.

`name` is a trial's newest run, `name@before` the one before it, `name@HASH` any by its short hash.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..exceptions import DataError, UnknownName, last_line
from ..predictions import Predictions
from .current_runs import current_check, is_same_split
from .stored_run import StoredRun
from .vault import Vault

BEFORE = "before"
_WORDS = {
    "data": "features",
    "code": "code",
    "trial": "parameters",
    "environment": "packages",
    "test": "refit",
}


def find_predictions(vault: Vault, slug: str, names: Sequence[str]) -> list[Predictions]:
    """Return the predictions of trials or of versions of them, in their order.

    Raises UnknownName, and DataError for a trial that failed or was pruned, and for runs on
    different rows or folds.
    """
    runs = vault.runs(slug)
    if stopped := sorted(set(names) & set(vault.pruned(slug))):
        raise DataError(
            f"{stopped[0]!r} has no predictions: its search stopped it after a fold. To use it, "
            "declare it in trials.py, and run it with `fkp sweep`."
        )
    found = [replace(vault.load(pick_run(vault, runs, name)), name=name) for name in names]
    for preds in found[1:]:
        _check_same_split(found[0], preds)
    return found


def all_versions(vault: Vault, slug: str) -> tuple[list[Predictions], list[StoredRun]]:
    """Return every finished run on the rows and folds of the newest, and the runs on others.

    An older version is called name@HASH. `about["version"]` has its hash, its date and, against the
    newest version of the trial, what changed.
    """
    newest: dict[str, StoredRun] = {}
    found: list[Predictions] = []
    others: list[StoredRun] = []
    runs = vault.runs(slug)
    is_current = current_check(runs, vault.load)
    for run in runs:
        current = newest.setdefault(run.trial, run)
        if run.status != "done":
            continue
        preds = vault.load(run)
        if not is_current(run, preds):
            others.append(run)
            continue
        name = run.trial if run is current else f"{run.trial}@{run.version}"
        version = {"hash": run.version, "date": run.measured, "changed": what_changed(run, current)}
        found.append(replace(preds, name=name, about={**preds.about, "version": version}))
    return found, others


def with_older_features(vault: Vault, slug: str) -> list[str]:
    """Return the trials whose newest run has other features than the newest run of all."""
    features: dict[str, str] = {}
    for run in vault.runs(slug):
        if run.status == "done":
            features.setdefault(run.trial, run.facts.get("parts", {}).get("data", ""))
    newest = next(iter(features.values()), "")
    return sorted(name for name, own in features.items() if own != newest)


def rebuild_ensemble(file: str | Path, vault: Vault) -> Predictions:
    """Make the ensemble of an ensemble.lock again from a vault, with the same bytes.

    Raises DataError if a member is not in the vault, or if the result has other bytes.
    """
    from ..ensembling import read_lock, rebuild  # imports pandas

    names = read_lock(file)["members"]
    runs = (run for run in vault.runs() if run.status == "done" and run.trial in names)
    return rebuild(file, (replace(vault.load(run), name=run.trial) for run in runs))


def pick_run(vault: Vault, runs: Sequence[StoredRun], name: str) -> StoredRun:
    """Return the run that a name means. Raises UnknownName, DataError."""
    trials = dict.fromkeys(run.trial for run in runs)
    trial, _, version = (name, "", "") if name in trials else name.rpartition("@")
    if trial not in trials:
        raise UnknownName("trial", name, trials)
    own = [run for run in runs if run.trial == trial]
    if not version:
        if own[0].status != "done":
            raise DataError(
                f"The newest run of {trial!r} failed. Correct it and run it again, or name an "
                f"older version, as in {trial}@{BEFORE}. Its error: {last_line(own[0].error)}"
            )
        return own[0]
    done = [run for run in own if run.status == "done"]
    known = [f"{trial}@{run.version}" for run in done]
    if version != BEFORE:
        if len(found := [run for run in done if run.key.startswith(version)]) == 1:
            return found[0]
        raise UnknownName("version", name, [*known, f"{trial}@{BEFORE}"])
    earlier = [run for run in done if run is not own[0]]
    if not earlier:
        raise DataError(
            f"{trial!r} has no earlier version: the vault has one run of it. Change its features, "
            "code or parameters and run it again; the board keeps both."
        )
    if own[0].status != "done":
        return earlier[0]
    now = vault.load(own[0])
    same = (run for run in earlier if is_same_split(now, vault.load(run)))
    return next(same, earlier[0])


def what_changed(run: StoredRun, current: StoredRun) -> list[str]:
    """Return what changed between two versions; empty if the older one does not say."""
    before, now = (r.facts.get("parts", {}) for r in (run, current))
    return [word for part, word in _WORDS.items() if before and before.get(part) != now.get(part)]


def _check_same_split(a: Predictions, b: Predictions) -> None:
    """Raise DataError unless two runs have the same rows and folds."""
    aligned = b.aligned(a.ids, a.test_ids, a.vocab)
    if not np.array_equal(a.folds, aligned.folds):
        raise DataError(
            f"{a.name} and {b.name} were validated on different folds ({_split(a.about)}, and "
            f"{_split(b.about)}), so their scores cannot be compared row by row. Run both with the "
            "same --folds, --holdout and --seed, and with the same [split]."
        )


def _split(about: dict[str, Any]) -> str:
    return f"{about.get('n_folds')} folds, {about.get('split')}, seed {about.get('split_seed')}"
