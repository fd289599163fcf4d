"""Forecast how long each trial takes: as in the vault, in results.csv, or a dry run on few rows."""

import contextlib
import csv
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...competition import load_comp
from ..execution import SweepExecution, folds_for
from ..local.worker_pool import run_jobs
from ..local.worker_process import WorkerJob
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
    """Fit one fold of few rows, in a process that may die; return the expected seconds of one fit.

    0 if it is unknown: a broken trial fails in its kernel.
    """
    from ...modeling import preload_of

    comp = execution.comp
    if any("torch" in preload_of(model, comp) for model in trial.models):
        return 0.0
    measured = [0.0]
    jobs = [WorkerJob((str(comp.folder or comp.slug), str(execution.path), trial))]
    ended = run_jobs(
        _dry_run,
        lambda running: jobs.pop() if jobs else None,
        on_progress=lambda job, seconds, step: measured.append(seconds),
    )
    with contextlib.closing(ended):
        return 0.0 if any(error for _, error in ended) else measured[-1]


def _dry_run(
    task: tuple[str, str, Trial], report: Callable[[float, str], None], foreign_mb: float | None
) -> str:
    """Fit one fold of few rows, and report the expected seconds of one fit on all rows."""
    from ...modeling import cross_validate
    from ...modeling.registry import build

    slug, path, trial = task
    comp = load_comp(slug)
    data = comp.read(path)
    n = len(data.train)
    few = data.take(np.sort(np.random.default_rng(0).permutation(n)[:_DRY_RUN_ROWS]))
    model = build(trial.model, trial.params, comp)
    folds = folds_for(comp, few, holdout=0.3)
    start = time.perf_counter()
    cross_validate(model, few, folds, metric=comp.scoring, look_for_groups=False, test="folds")
    report((time.perf_counter() - start) * max(n / len(few.train), 1.0), "")
    return ""
