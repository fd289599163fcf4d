"""Forecast how long each trial takes: as in the vault, in results.csv, or a dry run on few rows."""

import contextlib
import csv
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...ui import no_progress
from ..execution import SweepExecution, folds_for
from ..trial import Trial

ASSUMED_S = 600.0  # of a trial without any measurement
_DRY_RUN_ROWS = 300
_LEAST_S = 1.0


@dataclass(frozen=True)
class Forecast:
    """The expected duration of a trial."""

    seconds: float  # with all its folds
    source: str  # vault | results.csv | dry run | assumed


def forecast(execution: SweepExecution) -> dict[str, Forecast]:
    """Return the expected duration of each pending trial, in the declared order.

    A dry run fits one fold of few rows. Networks have none: on this machine's CPU it would say
    little about Kaggle's GPU.
    """
    measured = dict(_from_results(execution))  # trial or model and parameters -> seconds a fit
    stored = dict(_from_vault(execution))
    dry: dict[str, float] = {}
    found = {}
    for trial in execution.pending:
        seconds, source = stored.get(trial.fingerprint()), "vault"
        if seconds is None:
            seconds, source = measured.get(trial.name), "results.csv"
        if seconds is None:
            if trial.model not in dry:
                dry[trial.model] = _dry_run_s(execution, trial)
            seconds, source = dry[trial.model] or None, "dry run"
        n_fits = execution.budget.n_fits
        whole_s = ASSUMED_S if seconds is None else max(seconds * n_fits, _LEAST_S)
        found[trial.name] = Forecast(whole_s, "assumed" if seconds is None else source)
    return found


def _from_vault(execution: SweepExecution) -> Iterator[tuple[str, float]]:
    """Yield (fingerprint of a trial, seconds of one fit), the newest run last."""
    for run in reversed(execution.vault.runs(execution.comp.slug)):
        if run.status == "done" and "trial" in run.facts:
            n_fits = int(run.facts.get("n_folds") or execution.budget.n_fits)
            yield Trial(**run.facts["trial"]).fingerprint(), run.facts["wall_s"] / n_fits


def _from_results(execution: SweepExecution) -> Iterator[tuple[str, float]]:
    """Yield (name of a trial, seconds of one fit) of the competition's results.csv."""
    file = (execution.comp.folder or Path()) / "results.csv"
    if execution.comp.folder is None or not file.is_file():
        return
    with file.open(newline="", encoding="utf-8") as f:
        for row in csv.DictReader(f):
            if row.get("seconds") and row.get("n_folds"):
                yield row["trial"], float(row["seconds"]) / int(row["n_folds"])


def _dry_run_s(execution: SweepExecution, trial: Trial) -> float:
    """Fit one fold of few rows here; return the expected seconds of one fit, 0 if it is unknown."""
    from ...modeling import cross_validate, preload_of
    from ...modeling.registry import build

    comp, data = execution.comp, execution.data
    if any("torch" in preload_of(model, comp) for model in trial.models):
        return 0.0
    n = len(data.train)
    rows = np.sort(np.random.default_rng(0).permutation(n)[:_DRY_RUN_ROWS])
    with contextlib.suppress(Exception), no_progress():  # a broken trial fails in its kernel
        few = data.take(rows)
        model = build(trial.model, trial.params, comp)
        folds = folds_for(comp, few, holdout=0.3)
        start = time.perf_counter()
        cross_validate(model, few, folds, metric=comp.scoring, look_for_groups=False, test="folds")
        return (time.perf_counter() - start) * max(n / len(rows), 1.0)
    return 0.0
