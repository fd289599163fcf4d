"""Run a sweep on this machine: each trial in its own process, by default one trial per core."""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

from ..competition import Competition
from ..data import Data
from ..environment import has_gpu
from ..exceptions import ConfigError
from ..ui.records import Records
from .budget import Budget
from .execution import SweepExecution, run_trial
from .sweep_bar import with_bar
from .trial import Sweep, Trial, TrialResult
from .vault import Vault
from .worker_pool import run_jobs
from .worker_process import WorkerJob

_PRELOAD = (  # what every trial needs
    "fastkaggle_plus.modeling.validation",
    "sklearn.metrics",
    "sqlite_utils",
    "threadpoolctl",
)


@with_bar
def run_local(
    sweep: Sweep,
    comp: Competition,
    path: str | Path,  # the competition's data
    *,
    vault: Vault,
    data: Data | None = None,  # the result of `comp.read(path)`, if it was read before
    workers: int | None = None,  # trials at a time; 0: in this process; default: see below
    on_result: Callable[[TrialResult], None] | None = None,  # called when a trial ends
    on_start: Callable[[Trial], None] | None = None,  # called when a trial starts
    on_progress: Callable[[Trial, float, str], None] | None = None,  # (trial, share done, step)
    threads: int = 1,  # numeric threads of each trial
    max_trials: int | None = None,  # budget: trials to start
    max_epochs: int | None = None,  # budget: epochs of all trials on all folds
    stop_after_s: float | None = None,  # budget: seconds after which no trial starts
    on_split: Callable[[str], None] | None = None,  # called if groups are split; default: warn
) -> Records[TrialResult]:
    """Run the trials that the vault does not have yet, and return one result per trial, in order.

    A trial that fails, or whose process dies, gives a result with a traceback. A trial that exceeds
    the budget gives a result with `not_run`; trials found in the vault do not count. After a kill,
    the next call repeats at most the trials that were running.

    By default one trial per `threads` cores runs at a time, or one on a GPU. Every trial runs in a
    new process on `threads` threads: the same seed gives the same bytes for any number of workers.
    Without on_progress a bar shows the progress; `no_progress` hides it.
    The step of on_progress reads like "fold 2/5, epoch 3/8". Raises ConfigError, DataError.
    """
    if threads < 1:
        raise ConfigError(f"Expected at least one thread per trial, got threads = {threads}.")
    if workers is not None and workers < 0:
        raise ConfigError(
            f"Expected workers of 0 or more, got workers = {workers}. "
            "0 runs the trials in this process; leave it out for one trial per core."
        )
    execution = SweepExecution(
        sweep,
        comp,
        path,
        vault=vault,
        data=data,
        budget=Budget(
            sweep, comp, max_trials=max_trials, max_epochs=max_epochs, stop_after_s=stop_after_s
        ),
        on_result=on_result,
        on_start=on_start,
        on_split=on_split,
    )
    execution.resume()

    def report(job: WorkerJob, share: float, step: str) -> None:
        if on_progress is not None:
            on_progress(job.task.trial, share, step)

    if execution.pending:
        if workers is None:
            workers = _default_workers(execution, threads)
        jobs = (
            WorkerJob(task, (*_PRELOAD, *_preload(task.trial, comp)), threads)
            for task in execution.tasks()
        )
        ended = run_jobs(run_trial, jobs, workers=workers, on_progress=report)
        with contextlib.closing(ended):
            for job, error in ended:
                execution.finish(job.task, error)
    return Records(execution.results)


def _default_workers(execution: SweepExecution, threads: int) -> int:
    """Return one worker per `threads` cores, or one if any trial trains on a GPU."""
    trials, comp = execution.pending, execution.comp
    if has_gpu() and any("torch" in _preload(trial, comp) for trial in trials):
        return 1
    return min(len(trials), max((os.cpu_count() or 1) // threads, 1))


def _preload(trial: Trial, comp: Competition) -> tuple[str, ...]:
    """Return the packages that the files of a trial's models ask to import first."""
    from ..modeling import preload_of

    return tuple(package for model in trial.models for package in preload_of(model, comp))
