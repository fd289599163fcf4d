"""The process of a worker: it does jobs, reports progress, and ends with the fork server.

A process has one job. On a GPU it has several, one after the other, because each process would
spend seconds to start CUDA.
"""

import contextlib
import importlib
import multiprocessing
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from ...environment import numeric_threads
from ...ui import no_progress

_END_TIMEOUT_S = 5.0  # for a process to end before it is killed

Report = Callable[[float, str], None]  # reports progress: (share done, step)

# Runs (task, report, memory in MB that packages of other jobs take; None without an own process),
# and returns a traceback, or an empty string for success.
RunJob = Callable[[Any, Report, float | None], str]


@dataclass(frozen=True)
class WorkerJob:
    """The work of one process."""

    task: Any  # passed to the run function; plain data
    preload: tuple[str, ...] = ()  # packages that the server imports first
    threads: int = 1  # numeric threads, on which results may depend
    cores: int = 1  # threads of libraries whose results do not: see `environment.thread_limit`
    imports: tuple[str, ...] = ()  # packages that a process on a GPU imports itself
    card: str = ""  # the GPU that its process sees, as CUDA_VISIBLE_DEVICES names it
    is_alone: bool = True  # on its card: idle processes there end, to free their memory


def work(
    pipe: Connection,  # receives ("progress", (share done, step)), and at last ("end", traceback)
    run: RunJob,
    inherited: Connection | None,  # the server's own pipe, which a fork copies
    job: WorkerJob,
    foreign_mb: float,
) -> None:
    """Do one job. This is the main function of a worker process."""
    _depend_on_server(inherited)
    _do(pipe, run, job, foreign_mb)


def work_on_card(
    pipe: Connection,  # sends jobs; receives what `work` sends
    run: RunJob,
    inherited: Connection | None,  # as for `work`
) -> None:
    """Do jobs on one GPU, until one fails: it may have lost memory. The main function of a process.

    Each trial seeds the random numbers, so its result does not depend on the trials before.
    """
    _depend_on_server(inherited)
    while True:
        job: WorkerJob = pipe.recv()
        for name in job.imports:
            import_package(name)
        if _do(pipe, run, job, None):
            return


def import_package(name: str) -> None:
    """Import a package if possible; the job that needs a broken one reports it."""
    with warnings.catch_warnings(), contextlib.suppress(Exception):
        warnings.simplefilter("ignore")
        importlib.import_module(name)


def _do(pipe: Connection, run: RunJob, job: WorkerJob, foreign_mb: float | None) -> str:
    """Run a job, send its progress and its error, and return the error; "" for success."""

    def report(share: float, step: str) -> None:
        pipe.send(("progress", (share, step)))

    with limited_threads(job.threads, job.cores), no_progress():
        error = run(job.task, report, foreign_mb)
    pipe.send(("end", error))
    return error


def _depend_on_server(inherited: Connection | None) -> None:
    """End this process with the server, and leave Ctrl-C to the process that called it."""
    if inherited is not None:
        inherited.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_server, daemon=True).start()


def _end_with_server() -> None:
    """End this process when the server has ended, so that no kill leaves a process behind."""
    server: Any = multiprocessing.parent_process()
    while os.getppid() == server.pid:
        time.sleep(0.5)
    os._exit(1)


@contextlib.contextmanager
def limited_threads(n: int, cores: int) -> Iterator[None]:
    """Use n numeric threads in the block, also by libraries that were imported before."""
    from threadpoolctl import threadpool_limits  # a dependency of scikit-learn

    torch = sys.modules.get("torch")  # has its own thread pools
    before = torch.get_num_threads() if torch else 0
    with numeric_threads(n, cores=cores), threadpool_limits(n):
        if torch:
            torch.set_num_threads(n)
        try:
            yield
        finally:
            if torch:
                torch.set_num_threads(before)


def end_process(process: Any) -> None:
    """Wait for a process to end, and kill it after 5 s."""
    process.join(_END_TIMEOUT_S)
    if process.exitcode is None:
        process.kill()
        process.join()


def describe_exit(code: int) -> str:
    """Return how a process ended, as in killed by SIGKILL."""
    if code < 0:
        with contextlib.suppress(ValueError):
            return f"killed by {signal.Signals(-code).name}"
    return f"exit status {code}"
