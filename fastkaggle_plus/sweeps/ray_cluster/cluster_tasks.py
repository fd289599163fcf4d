"""The tasks of a sweep that a cluster runs or has waiting: submit, follow and cancel them."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from ... import __version__
from ...exceptions import ConfigError, FastkaggleError
from ..execution import SweepExecution, TrialTask
from ..local.worker_process import WorkerJob
from .cluster import Resources, alive_nodes, count_slots
from .folder_copy import FolderCopy, put_folders
from .node_check import NodeFacts, check_node, listing, node_facts
from .node_worker import NodeResult, run_on_node
from .progress_relay import ProgressReader

_RETRIES = 2  # after the death of a worker or a node
_WAIT_S = 0.2  # for a task to end, until progress is read again
_COUNT_EVERY_S = 5.0  # slots of the cluster, which nodes join and leave


class ClusterTasks:
    """The tasks in flight. Leaving the block cancels them."""

    def __init__(
        self,
        execution: SweepExecution,
        *,
        shared: bool | None,  # as for `run_ray`
    ):
        self.spool = execution.vault.spool.absolute()
        self.spool.mkdir(parents=True, exist_ok=True)
        self.vault = execution.vault
        self.running: dict[Any, WorkerJob] = {}  # by the reference of Ray
        self.remote = ray.remote(max_retries=_RETRIES, retry_exceptions=False)(run_on_node)
        self.driver = node_facts()
        self.copy = self._copy_unless_shared(execution, shared)
        self.reader = ProgressReader()
        self.room, self.counted = 0, 0.0

    def __enter__(self) -> "ClusterTasks":
        return self

    def __exit__(self, *_: object) -> None:
        for reference in self.running:
            ray.cancel(reference, force=True)

    @property
    def has_room(self) -> bool:
        """Say whether to submit more: each node keeps one trial waiting for each that it runs."""
        return len(self.running) < max(self.room, 1)

    def submit(self, job: WorkerJob, needs: Resources) -> None:
        """Give a trial to the cluster."""
        if time.monotonic() - self.counted >= _COUNT_EVERY_S:
            # the rest waits in Ray, so that an autoscaler sees it
            self.room, self.counted = 2 * count_slots(needs) + 2, time.monotonic()
        task = replace(job.task, spool=str(self.spool), gpu_share=needs["GPU"])
        job = replace(job, task=task)
        remote = self.remote.options(
            num_cpus=needs["CPU"], num_gpus=needs["GPU"], memory=needs["memory"] or None
        )
        reference = remote.remote(job, self.driver, self.copy, self.reader.relay)
        self.running[reference] = job

    def progress(self) -> Iterator[tuple[TrialTask, float, str, str]]:
        """Yield new reports of running trials: (task, share done, step, node)."""
        tasks = {job.task.key: job.task for job in self.running.values()}
        for key, (share, step, node) in self.reader.read().items():
            if key in tasks:
                yield tasks[key], share, step, node

    def ended(self) -> Iterator[tuple[TrialTask, str]]:
        """Wait a moment; yield trials that ended, with a traceback, empty for success.

        Raises ConfigError for a node that cannot run them.
        """
        first, _ = ray.wait(list(self.running), timeout=_WAIT_S)
        for reference in first:
            task = self.running.pop(reference).task
            yield task, self._result(reference, task)

    def _result(self, reference: Any, task: TrialTask) -> str:
        """Return the traceback of an ended trial; put the file that it returned into the spool."""
        try:
            result: NodeResult = _get(reference)
        except ray.exceptions.RayError as e:
            return f"The trial's worker or node died {_RETRIES + 1} times: {e}"
        file = self.spool / result.file
        if result.file and not file.exists() and self.vault.get(task.key) is None:
            part = file.with_name(f".{result.file}.part")
            part.write_bytes(result.content)
            part.replace(file)
        return result.error

    def _copy_unless_shared(
        self, execution: SweepExecution, shared: bool | None
    ) -> FolderCopy | None:
        """Check all nodes, and copy the competition's files unless every node sees them."""
        comp, data = execution.comp.folder, Path(execution.path)
        folders = (*([comp] if comp else []), data)
        without = execution.vault.folder.absolute()
        comp_name = f"competition/{execution.comp.slug}"  # a folder's name is the slug
        sees = _ask_nodes(self.driver, folders, without)
        if all(sees) if shared is None else shared:
            return None
        return put_folders({"data": data, **({comp_name: comp} if comp else {})}, without)


def _ask_nodes(driver: NodeFacts, folders: tuple[Path, ...], without: Path) -> list[bool]:
    """Return whether each node sees the driver's folders. Raises ConfigError for other versions."""
    expected = listing(folders, without)

    def ask() -> bool:
        check_node(driver)
        return without.is_dir() and listing(folders, without) == expected

    questions = []
    for node in alive_nodes():
        place = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        there = ray.remote(ask).options(num_cpus=0, max_retries=0, scheduling_strategy=place)
        questions.append(there.remote())
    answers = []
    for question in questions:
        with contextlib.suppress(ray.exceptions.RayError):  # the node died in the meantime
            answers.append(_get(question))
    return answers


def _get(reference: Any) -> Any:
    """Return the result of a task. Raises ConfigError for a node that cannot run it."""
    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as e:
        if isinstance(e.cause, FastkaggleError):
            raise e.cause from None
        raise ConfigError(
            f"A node cannot run trials. Install fastkaggle_plus {__version__} and the packages of "
            f"the trials on every node: pip install 'fastkaggle_plus[all,ray]=={__version__}'. "
            f"The node's error: {e}"
        ) from e
