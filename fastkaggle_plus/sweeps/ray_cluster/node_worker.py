"""The part of `run_ray` that runs on a node: one trial, in a process of its own."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import ray

from ...competition import load_comp
from ...environment import gpu_variables
from ...exceptions import ConfigError
from ..execution import TrialTask, run_trial
from ..local.worker_pool import run_jobs
from ..local.worker_process import WorkerJob
from ..resume import code_fingerprint
from .folder_copy import FolderCopy, node_cache
from .node_check import NodeFacts, check_node, node_name
from .progress_relay import reporter


@dataclass(frozen=True)
class NodeResult:
    """What a node returns for a trial: a traceback, or a result file."""

    error: str = ""
    file: str = ""  # name, see `spool`
    content: bytes = b""


def run_on_node(
    job: WorkerJob,
    driver: NodeFacts,
    copy: FolderCopy | None,  # None: this node sees the driver's folders
    relay: Any,  # the actor for progress
) -> NodeResult:
    """Run a trial, unless its result is in the spool already. This is a task of Ray.

    It may run twice, if its worker or its node dies. Raises ConfigError for a node that would give
    other results.
    """
    check_node(driver)
    task: TrialTask = job.task
    report = reporter(relay, task.key, node_name())
    report(0.0, "")
    if copy is not None:
        folder = copy.unpacked()
        comp = next(folder.glob("competition/*"), task.comp)  # without a folder: its slug
        copies = str(comp), str(folder / "data")
        task = replace(task, copies=copies, spool=str(node_cache() / "spool"))
    elif not Path(task.spool).is_dir():
        raise ConfigError(
            f"Node {node_name()} does not see {task.spool}; expected a disk that all nodes share. "
            "Run the sweep with shared=False, which copies the files to each node."
        )
    if not (found := _results(task)):
        _check_code(task)
        job = replace(job, task=task)
        if error := _trial_process(tuple(map(str, ray.get_gpu_ids()))).run(job, report):
            return NodeResult(error)
        found = _results(task)
    result = NodeResult()
    with contextlib.suppress(IndexError, FileNotFoundError):  # the driver took it into the vault
        result = NodeResult("", found[0].name, found[0].read_bytes())
        if copy is not None:
            found[0].unlink()
    return result


def _results(task: TrialTask) -> list[Path]:
    return list(Path(task.spool).glob(f"{task.key}-*.zip"))


def _check_code(task: TrialTask) -> None:
    """Raise ConfigError if the competition's code would not be what the run's key says."""
    comp = load_comp(task.copies[0] if task.copies else task.comp)
    if code_fingerprint(comp, task.trial) != task.parts["code"]:
        raise ConfigError(
            f"Node {node_name()} has other code for trial {task.trial.name!r} than the driver: the "
            f"files in {comp.folder} changed, or packages that they import have other versions. "
            "Install the driver's packages on every node, and start the sweep again."
        )


class _TrialProcess:
    """Runs one trial after the other, each forked from a server that stays."""

    def __init__(self, gpus: tuple[str, ...]):
        self.waiting: list[WorkerJob] = []
        self.report: Callable[[float, str], None] = lambda share, step: None
        environ = gpu_variables(*gpus)  # without a GPU too: Ray does not hide the others
        self.ended = run_jobs(
            run_trial, self._next_job, on_progress=self._on_progress, environ=environ
        )

    def run(self, job: WorkerJob, report: Callable[[float, str], None]) -> str:
        """Run a trial and return its traceback, empty for success."""
        self.waiting, self.report = [job], report
        return next(self.ended)[1]

    def _next_job(self, running: list[WorkerJob]) -> WorkerJob | None:
        return self.waiting.pop() if self.waiting else None

    def _on_progress(self, job: WorkerJob, share: float, step: str) -> None:
        self.report(share, step)


@cache
def _trial_process(gpus: tuple[str, ...]) -> _TrialProcess:
    """Return this worker's server of processes that see these GPUs, kept for its trials."""
    return _TrialProcess(gpus)
