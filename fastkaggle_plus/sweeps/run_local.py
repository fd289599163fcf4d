"""Run a sweep on this machine: each trial in a process, on a GPU or on free CPU cores."""

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Unpack

from ..competition import Competition
from ..environment import gpu_variables, named_cards, visible_gpus
from ..exceptions import ConfigError
from ..ui.records import Records
from .execution import SweepExecution, SweepOptions, run_trial
from .local.schedule import Schedule
from .local.worker_pool import run_jobs
from .local.worker_process import WorkerJob
from .sweep_bar import with_bar
from .trial import Sweep, TrialResult
from .vault import Vault


@with_bar
def run_local(
    sweep: Sweep,
    comp: Competition,
    path: str | Path,  # the competition's data
    *,
    vault: Vault,
    workers: int | None = None,  # most trials at a time; 0: in this process; default: see below
    threads: int | None = None,  # numeric threads of each trial; default: see below
    cards: Sequence[str] | None = None,  # GPUs, as in CUDA_VISIBLE_DEVICES; default: all
    **options: Unpack[SweepOptions],  # data, callbacks, budget
) -> Records[TrialResult]:
    """Run the trials that the vault does not have yet, and return one result per trial, in order.

    A trial that fails, or whose process dies, gives a result with a traceback. A trial that exceeds
    the budget gives a result with `not_run`; trials found in the vault do not count. After a kill,
    the next call repeats at most the trials that were running.

    Trials start in the declared order, each as soon as a core is free: list cheap ones first. A
    network for images or texts uses up to 4 cores, any other trial one. These threads depend on
    the model alone, so the same seed gives the same bytes for any number of workers. Free cores go
    to libraries whose results do not depend on threads.

    Each GPU runs one trial that uses it at a time; the other trials run on the CPU cores. Trials
    share a GPU if they declare a share (`Trial.num_gpus`), or if an earlier run needed less than
    half of its memory. The longest trials by earlier runs start first, unless there is a budget. A
    trial that runs out of a GPU's memory is run once more, alone on a GPU.

    Without on_progress a bar shows the progress; `no_progress` hides it. The step of on_progress
    reads like "fold 2/5, epoch 3/8", on a GPU "card 0, fold 2/5". Raises ConfigError, DataError.
    """
    if threads is not None and threads < 1:
        raise ConfigError(f"Expected at least one thread per trial, got threads = {threads}.")
    if workers is not None and workers < 0:
        raise ConfigError(
            f"Expected workers of 0 or more, got workers = {workers}. "
            "0 runs the trials in this process; leave it out for one trial per core."
        )
    if isinstance(cards, str) or len(set(cards or ())) < len(cards or ()):
        raise ConfigError(f'Expected different GPUs, as in cards = ["0", "1"], got {cards!r}.')
    execution = SweepExecution(sweep, comp, path, vault=vault, **options)
    execution.resume()

    def report(job: WorkerJob, share: float, step: str) -> None:
        where = f"card {job.card}" if job.card else ""
        execution.report(job.task, share, step, where=where)

    if execution.pending:
        found = (named_cards() or visible_gpus()) if cards is None else [str(c) for c in cards]
        schedule = Schedule(
            execution, workers=workers, threads=threads, cards=() if workers == 0 else found
        )
        # only processes on a GPU see one
        hidden = gpu_variables() if found or cards is not None else {}
        ended = run_jobs(
            run_trial,
            schedule.next_job,
            in_process=workers == 0,
            on_progress=report,
            environ=hidden,
        )
        with contextlib.closing(ended):
            for job, error in ended:
                if not schedule.retry(job, error):
                    execution.finish(job.task, error)
    return Records(execution.results)
