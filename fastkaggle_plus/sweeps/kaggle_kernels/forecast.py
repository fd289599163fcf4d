"""Forecast how long a trial takes: from earlier runs, or from a dry run on few rows."""

import contextlib
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from ...competition import load_comp
from ...modeling.manifest import uses_gpu
from ..earlier_runs import earlier_runs
from ..execution import SweepExecution
from ..local.worker_pool import run_jobs
from ..local.worker_process import WorkerJob
from ..splits import folds_for
from ..trial import Trial

ASSUMED_S = 600.0  # of a trial without any measurement
_DRY_RUN_ROWS = 300
_LEAST_S = 1.0


@dataclass(frozen=True)
class Forecast:
    """The expected duration of a trial."""

    seconds: float  # with all its folds
    source: str  # earlier run | dry run | assumed


def forecast(
    execution: SweepExecution,
    gpu: bool,  # whether the kernels have one
) -> dict[str, Forecast]:
    """Return the expected duration of each pending trial, in the declared order.

    A dry run fits one fold of few rows. Networks that will train on a GPU have none: on this
    machine's CPU it would say little about them.
    """
    comp, n_fits = execution.comp, execution.budget.n_fits
    n_rows = len(execution.data.train)
    earlier = earlier_runs(comp, execution.vault)
    unknown = {t.model: t for t in reversed(execution.pending) if t.name not in earlier}
    dry = _dry_runs(
        execution,
        (
            trial
            for trial in unknown.values()
            if not (gpu and any(uses_gpu(model, comp, n_rows=n_rows) for model in trial.models))
        ),
    )
    found = {}
    for trial in execution.pending:
        if trial.name in earlier:
            fit_s, source = earlier[trial.name].fold_s, "an earlier run"
        else:
            fit_s, source = dry.get(trial.model, 0.0), "a dry run"
        expected = Forecast(max(fit_s * n_fits, _LEAST_S), source)
        found[trial.name] = expected if fit_s else Forecast(ASSUMED_S, "an assumption")
    return found


def _dry_runs(execution: SweepExecution, trials: Iterable[Trial]) -> dict[str, float]:
    """Return the expected seconds of one fit by model, without those that fail.

    Each runs in a process, one after the other: a model may crash it.
    """
    where = str(execution.comp.folder or execution.comp.slug), str(execution.path)
    jobs = iter([WorkerJob((*where, trial)) for trial in trials])
    seconds: dict[str, float] = {}
    ended = run_jobs(
        _dry_run,
        lambda running: None if running else next(jobs, None),
        on_progress=lambda job, fit_s, step: seconds.update({job.task[-1].model: fit_s}),
    )
    with contextlib.closing(ended):
        for _ in ended:
            pass  # a broken trial fails in its kernel
    return seconds


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
    with contextlib.suppress(Exception):
        model = build(trial.model, trial.params, comp)
        folds = folds_for(comp, few, holdout=0.3)
        start = time.perf_counter()
        cross_validate(model, few, folds, metric=comp.scoring, look_for_groups=False, test="folds")
        report((time.perf_counter() - start) * max(n / len(few.train), 1.0), "")
    return ""
