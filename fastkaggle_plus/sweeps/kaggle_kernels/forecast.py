"""Forecast how long a trial takes: from earlier runs, or from a dry run on few rows."""

import contextlib
import time
from dataclasses import dataclass

import numpy as np

from ...modeling.manifest import uses_gpu
from ...ui import no_progress
from ..earlier_runs import earlier_runs
from ..execution import SweepExecution, folds_for
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
    earlier = earlier_runs(comp, execution.vault)
    dry: dict[str, float] = {}
    found = {}
    for trial in execution.pending:
        if trial.name in earlier:
            fit_s, source = earlier[trial.name].fold_s, "an earlier run"
        else:
            if trial.model not in dry:
                dry[trial.model] = _dry_run_s(execution, trial, gpu=gpu)
            fit_s, source = dry[trial.model], "a dry run"
        expected = Forecast(max(fit_s * n_fits, _LEAST_S), source)
        found[trial.name] = expected if fit_s else Forecast(ASSUMED_S, "an assumption")
    return found


def _dry_run_s(execution: SweepExecution, trial: Trial, *, gpu: bool) -> float:
    """Fit one fold of few rows here; return the expected seconds of one fit, 0 if it is unknown."""
    from ...modeling import cross_validate
    from ...modeling.registry import build

    comp, data = execution.comp, execution.data
    n = len(data.train)
    if gpu and any(uses_gpu(model, comp, n_rows=n) for model in trial.models):
        return 0.0
    rows = np.sort(np.random.default_rng(0).permutation(n)[:_DRY_RUN_ROWS])
    with contextlib.suppress(Exception), no_progress():  # a broken trial fails in its kernel
        few = data.take(rows)
        model = build(trial.model, trial.params, comp)
        folds = folds_for(comp, few, holdout=0.3)
        start = time.perf_counter()
        cross_validate(model, few, folds, metric=comp.scoring, look_for_groups=False, test="folds")
        return (time.perf_counter() - start) * max(n / len(rows), 1.0)
    return 0.0
