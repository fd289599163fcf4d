"""Run a sweep on a Ray cluster: each trial is a task of Ray, in a process of its own on a node."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from ..competition import Competition
from ..environment import prepare_ray
from ..exceptions import ConfigError, needs_extra
from ..ui.records import Records
from .execution import SweepExecution, SweepOptions, TrialTask
from .local.worker_process import WorkerJob
from .sweep_bar import with_bar
from .trial import Sweep, Trial, TrialResult
from .trial_needs import EVERY_TRIAL, packages_of, threads_of, uses_gpu
from .vault import Vault

if TYPE_CHECKING:
    from .ray_cluster.cluster_tasks import ClusterTasks


@with_bar
def run_ray(
    sweep: Sweep,
    comp: Competition,
    path: str | Path,  # the competition's data
    *,
    vault: Vault,
    address: str | None = None,  # "auto", HOST:PORT or ray://HOST:PORT; None: start Ray here
    num_gpus: float | None = None,  # of a trial that uses a GPU; default: `Trial.num_gpus`, or 1
    memory_mb: float = 0.0,  # that Ray reserves for each trial
    threads: int | None = None,  # numeric threads of each trial; default: as for `run_local`
    shared: bool | None = None,  # whether all nodes see these folders; default: ask each node
    node_types: Sequence[Mapping[str, float]] = (),  # of an autoscaler, as in {"CPU": 8, "GPU": 1}
    **options: Unpack[SweepOptions],  # data, callbacks, budget
) -> Records[TrialResult]:
    """Run the trials that the vault does not have yet, and return one result per trial, in order.

    A trial reserves its threads as CPUs, and a GPU if its model uses one and the cluster has any;
    a share such as 0.25 lets four trials use one. Ray runs a trial again, at most twice, if its
    worker or node dies; the vault stores it once. A trial that fails gives a result with a
    traceback. After the driver was killed, the next call repeats at most the trials in flight.

    Nodes that do not share the driver's disk get a copy of the competition's folder and data, and
    return their results. Every node needs the driver's versions of this package and of others.
    A trial that neither a node nor one of `node_types` can hold is refused, because Ray would wait
    for ever. Raises ConfigError, DataError, MissingExtra.
    """
    if threads is not None and threads < 1:
        raise ConfigError(f"Expected at least one thread per trial, got threads = {threads}.")
    if num_gpus is not None and not 0 <= num_gpus <= 1:
        raise ConfigError(f"Expected num_gpus from 0 to 1, got num_gpus = {num_gpus}.")
    prepare_ray(address)
    with needs_extra("ray"):
        from .ray_cluster.cluster import check_capacity, has_gpus, open_cluster
        from .ray_cluster.cluster_tasks import ClusterTasks
    on_start = options.pop("on_start", None)  # called when a node starts the trial
    execution = SweepExecution(sweep, comp, Path(path).absolute(), vault=vault, far=True, **options)
    execution.resume()

    def job(trial: Trial, with_gpu: bool) -> tuple[WorkerJob, dict[str, float]]:
        n, share = threads or threads_of(trial, comp), 0.0
        if with_gpu and uses_gpu(trial, comp, len(execution.data.train)):
            share = num_gpus if num_gpus is not None else trial.num_gpus or 1.0
        # a process on a GPU imports torch itself: see `fork_server`
        preload = EVERY_TRIAL if share else (*EVERY_TRIAL, *packages_of(trial, comp))
        needs = {"CPU": n, "GPU": share, "memory": memory_mb * 2**20}
        return WorkerJob(None, preload, n, n), needs

    if execution.pending:
        with open_cluster(address):
            with_gpu = bool(num_gpus) or has_gpus(node_types)
            jobs = {trial.name: job(trial, with_gpu) for trial in execution.pending}
            check_capacity({name: needs for name, (_, needs) in jobs.items()}, node_types)
            with ClusterTasks(execution, shared=shared) as tasks:
                _run(execution, tasks, jobs, on_start)
    return Records(execution.results)


def _run(
    execution: SweepExecution,
    tasks: "ClusterTasks",
    jobs: Mapping[str, tuple[WorkerJob, dict[str, float]]],
    on_start: Callable[[Trial], None] | None,
) -> None:
    """Keep the cluster busy until no trial is left; few tasks wait, so that few are lost."""
    waiting: set[str] = set()  # keys of trials that no node has started yet

    def start(task: TrialTask) -> None:
        if task.key in waiting:
            waiting.remove(task.key)
            if on_start:
                on_start(task.trial)

    while True:
        while tasks.has_room and (task := execution.start_next()) is not None:
            waiting.add(task.key)
            job, needs = jobs[task.trial.name]
            tasks.submit(replace(job, task=task), needs)
        if not tasks.running:
            return
        for task, share, step, node in tasks.progress():
            start(task)
            execution.report(task, share, step, where=f"node {node}")
        for task, error in tasks.ended():
            start(task)
            execution.finish(task, error)
