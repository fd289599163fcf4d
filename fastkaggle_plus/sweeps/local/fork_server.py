"""A fork server: imports heavy packages once, then forks a process for each job in milliseconds.

It starts processes from scratch where a fork is not safe: on Windows and macOS, and after the
import of a package that starts threads. A process on a GPU is kept for the next job there, and
imports torch itself: CUDA does not work in a forked process whose parent started it.
"""

import contextlib
import gc
import multiprocessing
import os
import signal
import sys
import threading
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from ...environment import gpu_variables, numeric_threads, variables
from .worker_process import (
    RunJob,
    WorkerJob,
    describe_exit,
    end_process,
    import_package,
    work,
    work_on_card,
)

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
                    server.start(*client.recv())
                else:
                    server.pass_on_message(ready)
    except (EOFError, OSError):  # the client has ended
        pass
    finally:
        for worker in [*server.workers.values(), *server.idle]:
            worker.process.kill()


@dataclass
class _Worker:
    pipe: Connection
    process: Any
    number: int  # of its job
    job: WorkerJob  # the last, if it is idle


class _ForkServer:
    def __init__(self, client: Connection, run: RunJob):
        self.client, self.run = client, run
        self.workers: dict[Connection, _Worker] = {}  # those with a job, by pipe
        self.idle: list[_Worker] = []  # on GPUs
        self.imported_mb: dict[str, float] = {}  # package -> memory that its import took

    def start(self, number: int, job: WorkerJob) -> None:
        """Give a job to a process."""
        worker = self._worker_on_card(number, job) if job.card else self._new_worker(number, job)
        self.workers[worker.pipe] = worker

    def _worker_on_card(self, number: int, job: WorkerJob) -> _Worker:
        """Give a job to an idle process of its GPU, or to a new one."""
        free = [w for w in self.idle if w.job.card == job.card and w.process.is_alive()]
        if free:
            worker = free.pop()
            self.idle.remove(worker)
        else:
            worker = self._new_worker(number, job)
        for other in free if job.is_alone else ():
            self.idle.remove(other)
            other.process.kill()
            other.process.join()
        worker.number, worker.job = number, job
        with contextlib.suppress(OSError):  # it died: `pass_on_message` reports it
            worker.pipe.send(job)
        return worker

    def _new_worker(self, number: int, job: WorkerJob) -> _Worker:
        for name in job.preload:
            if name not in self.imported_mb:
                before = _own_mb()
                import_package(name)
                self.imported_mb[name] = _own_mb() - before
        gc.freeze()  # a collection in the forked process would copy the memory of all packages
        may_fork = _may_fork() and not (job.card and "torch" in sys.modules)
        context: Any = multiprocessing.get_context("fork" if may_fork else "spawn")
        pipe, workers_end = context.Pipe()
        inherited = self.client if may_fork else None
        foreign = [mb for name, mb in self.imported_mb.items() if name not in job.preload]
        own: Any = (job, sum(foreign) if may_fork else 0.0)
        process = context.Process(
            target=work_on_card if job.card else work,
            args=(workers_end, self.run, inherited, *(() if job.card else own)),
        )
        environ = gpu_variables(job.card) if job.card else {}
        with numeric_threads(job.threads, cores=job.cores), variables(environ):
            process.start()
        workers_end.close()
        return _Worker(pipe, process, number, job)

    def pass_on_message(self, pipe: Connection) -> None:
        """Receive a message of a worker and send it to the client; end or keep its process."""
        worker = self.workers[pipe]
        try:
            kind, value = pipe.recv()
        except (EOFError, OSError):  # it died before it sent its result
            end_process(worker.process)
            kind, value = "end", _death_of_worker(worker.process.exitcode)
        if kind == "end":
            del self.workers[pipe]
            if worker.job.card and not value:
                self.idle.append(worker)
            else:
                pipe.close()
                end_process(worker.process)
        self.client.send((worker.number, kind, value))


def _death_of_worker(code: int) -> str:
    advice = _EXIT if code >= 0 else _CRASH
    if code == -getattr(signal, "SIGKILL", 9):
        advice = _OUT_OF_MEMORY
    return f"The worker process died while this trial ran ({describe_exit(code)}). {advice}"


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
