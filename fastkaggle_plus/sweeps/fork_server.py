"""A fork server: imports heavy packages once, then forks a process for each job in milliseconds.

It starts processes from scratch where a fork is not safe: on Windows and macOS, and after the
import of a package that starts threads.
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
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from ..environment import numeric_threads

_END_TIMEOUT_S = 5.0  # for a process to end before it is killed


@dataclass(frozen=True)
class WorkerJob:
    """The work of one process."""

    task: Any  # passed to the run function; plain data
    preload: tuple[str, ...] = ()  # packages that the server imports first
    threads: int = 1  # numeric threads


Report = Callable[[float, str], None]  # reports progress: (share done, step)

# Runs (task, report, memory in MB that packages of other jobs take; None without an own process),
# and returns a traceback, or an empty string for success.
RunJob = Callable[[Any, Report, float | None], str]


def serve(pipe: Connection, run: RunJob) -> None:
    """Start a worker for each job, pass on its messages, and kill it when the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the calling process decides what Ctrl-C does
    server = _ForkServer(pipe, run)
    try:
        while True:
            ready: Any  # the type of a connection depends on the system
            for ready in wait([pipe, *server.workers]):
                if ready is pipe:
                    server.start_worker(*pipe.recv())
                else:
                    server.pass_on_message(ready)
    except (EOFError, OSError):  # the calling process closed the pipe, or ended
        pass
    finally:
        for _, process in server.workers.values():
            process.kill()


class _ForkServer:
    def __init__(self, pipe: Connection, run: RunJob):
        self.pipe, self.run = pipe, run
        self.workers: dict[Connection, tuple[int, Any]] = {}  # pipe -> number of job, process
        self.imported_mb: dict[str, float] = {}  # package -> memory that its import took

    def start_worker(self, number: int, job: WorkerJob) -> None:
        for name in job.preload:
            if name not in self.imported_mb:
                self.imported_mb[name] = _import(name)
        may_fork = _may_fork()
        context: Any = multiprocessing.get_context("fork" if may_fork else "spawn")
        receiving, sending = context.Pipe(duplex=False)
        foreign = [mb for name, mb in self.imported_mb.items() if name not in job.preload]
        inherited = (sum(foreign), self.pipe) if may_fork else (0.0, None)
        args = (sending, self.run, job, os.getpid(), *inherited)
        process = context.Process(target=_work, args=args)
        with numeric_threads(job.threads):
            process.start()
        sending.close()
        self.workers[receiving] = number, process

    def pass_on_message(self, worker: Connection) -> None:
        number, process = self.workers[worker]
        try:
            kind, value = worker.recv()
        except (EOFError, OSError):  # it died before it sent its result
            process.join(_END_TIMEOUT_S)
            code = process.exitcode
            how = f"{describe_exit(code)}). {_advice(code)}"
            kind, value = "end", f"The worker process died while this trial ran ({how}"
        if kind == "end":
            del self.workers[worker]
            worker.close()
            end_process(process)
        self.pipe.send((number, kind, value))


def _work(
    pipe: Connection,
    run: RunJob,
    job: WorkerJob,
    server_pid: int,
    foreign_mb: float,
    inherited: Connection | None,  # the server's own pipe, which a fork copies
) -> None:
    """Do one job. This is the main function of a worker process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if inherited is not None:
        inherited.close()
    threading.Thread(target=_end_with_server, args=(server_pid,), daemon=True).start()
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed()  # a fork would continue the server's random numbers

    def report(share: float, step: str) -> None:
        pipe.send(("progress", (share, step)))

    with limited_threads(job.threads):
        pipe.send(("end", run(job.task, report, foreign_mb)))


@contextlib.contextmanager
def limited_threads(n: int) -> Iterator[None]:
    """Use n numeric threads in the block, also by libraries that were imported before."""
    from threadpoolctl import threadpool_limits  # a dependency of scikit-learn

    torch = sys.modules.get("torch")  # has its own thread pools
    before = torch.get_num_threads() if torch else 0
    with numeric_threads(n), threadpool_limits(n):
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


def describe_exit(code: int | None) -> str:
    """Return how a process ended, as in killed by SIGKILL."""
    if code is not None and code < 0:
        with contextlib.suppress(ValueError):
            return f"killed by {signal.Signals(-code).name}"
    return f"exit status {code}"


def _advice(code: int | None) -> str:
    if code == -getattr(signal, "SIGKILL", 9):
        return (
            "Out of memory is the usual cause: run one trial at a time (--workers 1, workers=1), "
            "with smaller batches or images."
        )
    if code is not None and code >= 0:
        return (
            "Its code or a library ended the process: "
            "look for sys.exit, and read what it printed before."
        )
    return (
        "A library crashed: read what it printed before, and try one thread or a part of the rows."
    )


def _end_with_server(server_pid: int) -> None:
    """End this process when the server has ended, so that no kill leaves a process behind."""
    while os.getppid() == server_pid:
        time.sleep(0.5)
    os._exit(1)


def _import(name: str) -> float:
    """Import a package if possible, and return the memory that it took, in MB."""
    before = _own_mb()
    with warnings.catch_warnings(), contextlib.suppress(Exception):
        warnings.simplefilter("ignore")
        importlib.import_module(name)  # the trial that needs a broken package reports it
    return _own_mb() - before


def _own_mb() -> float:
    """Return the memory that a fork of this process has from its start: all but mapped files."""
    try:
        resident, shared = Path("/proc/self/statm").read_text().split()[1:3]
    except OSError:
        return 0.0
    return (int(resident) - int(shared)) * os.sysconf("SC_PAGE_SIZE") / 2**20


def _may_fork() -> bool:
    """Return whether a fork is safe: not with several threads, and not on macOS or Windows."""
    if "fork" not in multiprocessing.get_all_start_methods() or sys.platform == "darwin":
        return False
    try:
        return len(list(Path("/proc/self/task").iterdir())) == 1
    except OSError:
        return threading.active_count() == 1  # threads of Python only
