"""Choose which trial of a sweep starts next on this machine, and where: on a GPU or on CPU cores.

A machine with GPUs has two queues. Trials that use a GPU get one each, or a share of one if they
are known to be small; the others get the cores that are free.
"""

import re
from collections.abc import Sequence
from dataclasses import replace

from ...environment import core_count
from ..earlier_runs import earlier_runs
from ..execution import SweepExecution, TrialTask
from ..trial_needs import EVERY_TRIAL, packages_of, threads_of, uses_gpu
from .worker_process import WorkerJob

_GPU_OUT_OF_MEMORY = re.compile(  # of torch, CUDA's libraries, CatBoost, XGBoost
    r"OutOfMemoryError|CUDA.*out of memory|_ALLOC_FAILED|cudaErrorMemoryAllocation", re.IGNORECASE
)


class Schedule:
    """The pending trials of a sweep; each starts as soon as there is room for it."""

    def __init__(
        self,
        execution: SweepExecution,
        *,
        workers: int | None,  # as for `run_local`, and so are the next two
        threads: int | None,
        cards: Sequence[str],
    ):
        self.execution, self.threads, self.cards = execution, threads, tuple(cards)
        self.cores = max(core_count(), (workers or 1) * (threads or 1))
        most = max(self.cores, len(self.cards))
        self.workers = most if workers is None else max(workers, 1)
        self.shares: dict[str, float] = {}  # trial that uses a GPU -> share of it
        self.retries: list[TrialTask] = []  # they ran out of a GPU's memory, and wait for a GPU
        self.retried: set[str] = set()  # keys
        if self.cards:
            self._plan_cards()

    def next_job(self, running: list[WorkerJob]) -> WorkerJob | None:
        """Return the next job; None while there is no room for it, or if none is left."""
        if running and len(running) >= self.workers:
            return None
        used = sum(1 if job.card else job.threads for job in running)  # a GPU's job mostly waits
        has_core = not running or used < self.cores
        job = self._next_on_card(running, has_core) if self.cards else None
        return job or (self._next_on_cores(running) if has_core else None)

    def retry(self, job: WorkerJob, error: str) -> bool:
        """Run a job that ran out of a GPU's memory once more, alone. Return whether it will."""
        task: TrialTask = job.task
        if not (job.card and _GPU_OUT_OF_MEMORY.search(error)) or task.key in self.retried:
            return False
        self.retried.add(task.key)
        self.retries.append(task)
        self.execution.report(task, 0.0, "out of GPU memory: waits for a GPU of its own")
        return True

    def _plan_cards(self) -> None:
        """Find which trials use a GPU, and put the longest first, unless a budget ends the sweep.

        A trial that was not measured is expected to take as long as the others.
        """
        pending, budget = self.execution.pending, self.execution.budget
        earlier = earlier_runs(self.execution.comp, self.execution.vault)
        for trial in pending:
            known = earlier[trial.name].gpu_share if trial.name in earlier else 1.0
            if uses_gpu(trial, self.execution.comp, len(self.execution.data.train)):
                self.shares[trial.name] = trial.num_gpus or known
        seconds = {name: run.fold_s for name in self.shares if (run := earlier.get(name))}
        if seconds and not budget.is_limited:
            typical = sum(seconds.values()) / len(seconds)
            on_cards = [t for t in pending if t.name in self.shares]
            on_cards.sort(key=lambda t: -seconds.get(t.name, typical))
            pending[:] = [*on_cards, *(t for t in pending if t.name not in self.shares)]

    def _next_on_card(self, running: list[WorkerJob], has_core: bool) -> WorkerJob | None:
        """Return the next job of the GPU that has most room, if it has room for it."""
        rooms = dict.fromkeys(self.cards, 1.0)
        for job in running:
            if job.card:
                rooms[job.card] -= job.task.gpu_share
        card = max(rooms, key=lambda name: rooms[name])
        is_free = card not in {job.card for job in running}
        if self.retries:
            return self._job(self.retries.pop(0), running, card, 1.0) if is_free else None
        for trial in [t for t in self.execution.pending if t.name in self.shares]:
            share = self.shares[trial.name]
            if not is_free and (not has_core or share > rooms[card] + 1e-9):
                return None
            if (task := self.execution.start(trial)) is not None:
                return self._job(task, running, card, share)
        return None

    def _next_on_cores(self, running: list[WorkerJob]) -> WorkerJob | None:
        for trial in [t for t in self.execution.pending if t.name not in self.shares]:
            if (task := self.execution.start(trial)) is not None:
                return self._job(task, running)
        return None

    def _job(
        self, task: TrialTask, running: list[WorkerJob], card: str = "", share: float = 0.0
    ) -> WorkerJob:
        trial, comp = task.trial, self.execution.comp
        n_left = len(self.execution.pending) + len(running) + 1
        most = min(self.workers, len(self.cards)) if card else self.workers
        threads = self.threads or threads_of(trial, comp)
        cores = max(threads, self.cores // min(n_left, most))
        task, packages = replace(task, gpu_share=share), packages_of(trial, comp)
        if not card:
            return WorkerJob(task, (*EVERY_TRIAL, *packages), threads, cores)
        return WorkerJob(task, EVERY_TRIAL, threads, cores, packages, card, is_alone=share >= 1)
