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
import warnings
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from ..environment import numeric_threads
from .worker_process import RunJob, WorkerJob, describe_exit, end_process, work

_OUT_OF_MEMORY = (
    "Out of memory is the usual cause: run one trial at a time (--workers 1, workers=1), "
    "with smaller batches or images."
)
_EXIT = "Its code or a library ended the process: look for sys.exit, and read what it printed."
_CRASH = "A library crashed: read what it printed, and try one thread or a part of the rows."


def serve(client: Connection, run: RunJob) -> None:
    """Start a worker for each job that the client sends, and pass on the workers' messages.

    This is the main function of the server's process. It ends when the client closes the pipe or
    dies, and kills the workers then.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the calling process decides what Ctrl-C does
    server = _ForkServer(client, run)
    try:
        while True:
            ready: Any  # the type of a connection depends on the system
            for ready in wait([client, *server.workers]):
                if ready is client:
                    server.start_worker(*client.recv())
                else:
                    server.pass_on_message(ready)
    except (EOFError, OSError):  # the client has ended
        pass
    finally:
        for _, process in server.workers.values():
            process.kill()


class _ForkServer:
    def __init__(self, client: Connection, run: RunJob):
        self.client, self.run = client, run
        self.workers: dict[Connection, tuple[int, Any]] = {}  # pipe -> number of job, process
        self.imported_mb: dict[str, float] = {}  # package -> memory that its import took

    def start_worker(self, number: int, job: WorkerJob) -> None:
        for name in job.preload:
            if name not in self.imported_mb:
                self.imported_mb[name] = _import(name)
        foreign = [mb for name, mb in self.imported_mb.items() if name not in job.preload]
        may_fork = _may_fork()
        inherited = (sum(foreign), self.client) if may_fork else (0.0, None)
        context: Any = multiprocessing.get_context("fork" if may_fork else "spawn")
        receiving, sending = context.Pipe(duplex=False)
        process = context.Process(target=work, args=(sending, self.run, job, *inherited))
        with numeric_threads(job.threads, cores=job.cores):
            process.start()
        sending.close()
        self.workers[receiving] = number, process

    def pass_on_message(self, worker: Connection) -> None:
        number, process = self.workers[worker]
        try:
            kind, value = worker.recv()
        except (EOFError, OSError):  # it died before it sent its result
            end_process(process)
            kind, value = "end", _death_of_worker(process.exitcode)
        if kind == "end":
            del self.workers[worker]
            worker.close()
            end_process(process)
        self.client.send((number, kind, value))


def _death_of_worker(code: int) -> str:
    advice = _EXIT if code >= 0 else _CRASH
    if code == -getattr(signal, "SIGKILL", 9):
        advice = _OUT_OF_MEMORY
    return f"The worker process died while this trial ran ({describe_exit(code)}). {advice}"


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
    """Say whether a fork is safe: not with several threads, and not on macOS or Windows."""
    if "fork" not in multiprocessing.get_all_start_methods() or sys.platform == "darwin":
        return False
    try:
        return len(list(Path("/proc/self/task").iterdir())) == 1
    except OSError:
        return threading.active_count() == 1  # threads of Python only
