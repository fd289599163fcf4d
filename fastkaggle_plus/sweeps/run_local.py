"""Run a sweep on this machine: each trial in its own process, as many at a time as cores allow."""

import contextlib
from pathlib import Path
from typing import Unpack

from ..competition import Competition
from ..environment import core_count, has_gpu
from ..exceptions import ConfigError
from ..ui.records import Records
from .execution import SweepExecution, SweepOptions, run_trial
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
_NETWORKS = ("timm", "transformers")  # packages of networks that use several cores well
_NETWORK_THREADS = 4  # more make one network little faster, and several at a time slower


@with_bar
def run_local(
    sweep: Sweep,
    comp: Competition,
    path: str | Path,  # the competition's data
    *,
    vault: Vault,
    workers: int | None = None,  # most trials at a time; 0: in this process; default: see below
    threads: int | None = None,  # numeric threads of each trial; default: see below
    **options: Unpack[SweepOptions],  # data, callbacks, budget
) -> Records[TrialResult]:
    """Run the trials that the vault does not have yet, and return one result per trial, in order.

    A trial that fails, or whose process dies, gives a result with a traceback. A trial that exceeds
    the budget gives a result with `not_run`; trials found in the vault do not count. After a kill,
    the next call repeats at most the trials that were running.

    Trials start in the declared order, each as soon as a core is free: list cheap ones first. A
    network for images or texts uses up to 4 cores, any other trial one; on a GPU one trial runs at
    a time. These threads depend on the model alone, so the same seed gives the same bytes for any
    number of workers. Free cores go to libraries whose results do not depend on threads.
    Without on_progress a bar shows the progress; `no_progress` hides it.
    The step of on_progress reads like "fold 2/5, epoch 3/8". Raises ConfigError, DataError.
    """
    if threads is not None and threads < 1:
        raise ConfigError(f"Expected at least one thread per trial, got threads = {threads}.")
    if workers is not None and workers < 0:
        raise ConfigError(
            f"Expected workers of 0 or more, got workers = {workers}. "
            "0 runs the trials in this process; leave it out for one trial per core."
        )
    execution = SweepExecution(sweep, comp, path, vault=vault, **options)
    execution.resume()

    def report(job: WorkerJob, share: float, step: str) -> None:
        execution.report(job.task, share, step)

    if execution.pending:
        queue = _Queue(execution, workers, threads)
        ended = run_jobs(run_trial, queue.next_job, in_process=workers == 0, on_progress=report)
        with contextlib.closing(ended):
            for job, error in ended:
                execution.finish(job.task, error)
    return Records(execution.results)


class _Queue:
    """The pending trials, in the declared order; each starts as soon as a core is free."""

    def __init__(self, execution: SweepExecution, workers: int | None, threads: int | None):
        self.execution, self.threads = execution, threads
        self.cores = max(core_count(), (workers or 1) * (threads or 1))
        if workers is None and has_gpu() and any(map(self._uses_torch, execution.pending)):
            workers = 1
        self.workers = self.cores if workers is None else max(workers, 1)

    def next_job(self, running: list[WorkerJob]) -> WorkerJob | None:
        """Return the next job; None while no core is free, or if none is left."""
        used = sum(job.threads for job in running)
        if running and (used >= self.cores or len(running) >= self.workers):
            return None
        n_left = len(self.execution.pending) + len(running)
        if (task := self.execution.start_next()) is None:
            return None
        threads, preload = self._threads_of(task.trial), _preload(task.trial, self.execution.comp)
        spare = self.cores // min(n_left, self.workers)
        return WorkerJob(task, (*_PRELOAD, *preload), threads, max(threads, spare))

    def _threads_of(self, trial: Trial) -> int:
        if self.threads is not None:
            return self.threads
        is_network = set(_NETWORKS) & set(_preload(trial, self.execution.comp))
        return min(core_count(), _NETWORK_THREADS) if is_network else 1

    def _uses_torch(self, trial: Trial) -> bool:
        return "torch" in _preload(trial, self.execution.comp)


def _preload(trial: Trial, comp: Competition) -> tuple[str, ...]:
    """Return the packages that the files of a trial's models ask to import first."""
    from ..modeling import preload_of

    return tuple(package for model in trial.models for package in preload_of(model, comp))
