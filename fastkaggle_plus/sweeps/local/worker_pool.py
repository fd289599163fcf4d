"""Run jobs in a pool of worker processes, or one after the other in this process.

The calling process may have threads, so it never forks: it starts a fork server, which does.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import multiprocessing
import signal
import sys
import types
from collections.abc import Callable, Generator, Iterator, Mapping
from multiprocessing import resource_tracker
from typing import Any

from ...environment import numeric_threads, variables
from .fork_server import serve
from .worker_process import RunJob, WorkerJob, describe_exit, end_process, limited_threads

# called with the running jobs; returns None while the next must wait for them, or if none is left
NextJob = Callable[[list[WorkerJob]], WorkerJob | None]
OnProgress = Callable[[WorkerJob, float, str], None]  # (job, share done, step)
Ended = Generator[tuple[WorkerJob, str]]  # jobs that ended, with a traceback; "" for success


def run_jobs(
    run: RunJob,  # a function at the top level of a module
    next_job: NextJob,
    *,
    in_process: bool = False,  # one job after the other in this process
    on_progress: OnProgress,
    environ: Mapping[str, str] | None = None,  # variables of all processes
) -> Ended:
    """Yield (job, traceback) as jobs end, with an empty traceback for success.

    A worker that dies is an error of its job only. All processes end when the iterator is closed
    or this process dies.
    """
    if in_process:
        while (job := next_job([])) is not None:
            with limited_threads(job.threads, job.cores):
                error = run(job.task, functools.partial(on_progress, job), None)
            yield job, error
        return
    running = dict[int, WorkerJob]()
    while True:
        with contextlib.closing(_ServerProcess(run, environ or {})) as server:
            yield from _run_on(server, next_job, running, on_progress)
        if not running:
            return
        for number in list(running):  # the server died; the next one runs the waiting jobs
            yield running.pop(number), server.cause_of_death


def _run_on(
    server: _ServerProcess,
    next_job: NextJob,
    running: dict[int, WorkerJob],
    on_progress: OnProgress,
) -> Ended:
    """Run the waiting jobs until all have ended or the server dies."""
    numbers = itertools.count()
    while True:
        while (job := next_job(list(running.values()))) is not None:
            number = next(numbers)
            running[number] = job
            server.send(number, job)
        message = server.receive() if running else None
        if message is None:
            return
        number, kind, value = message
        if kind == "progress":
            on_progress(running[number], *value)
        else:
            yield running.pop(number), value


class _ServerProcess:
    """The fork server, seen from the calling process."""

    def __init__(self, run: RunJob, environ: Mapping[str, str]):
        context = multiprocessing.get_context("spawn")
        self.pipe, servers_end = context.Pipe()
        self.process = context.Process(target=serve, args=(servers_end, run))
        # a thread pool in the server would make a fork unsafe
        with numeric_threads(1), variables(environ), _hidden_main_module(), _without_interrupts():
            self.process.start()
        servers_end.close()

    def close(self) -> None:
        self.pipe.close()  # ends the server
        end_process(self.process)

    def send(self, number: int, job: WorkerJob) -> None:
        with contextlib.suppress(OSError):  # the server died: `receive` reports it
            self.pipe.send((number, job))

    def receive(self) -> tuple[int, str, Any] | None:
        """Return the next message: number of the job, kind, value; None if the server died."""
        try:
            return self.pipe.recv()
        except (EOFError, OSError):
            return None

    @property
    def cause_of_death(self) -> str:
        how = describe_exit(self.process.exitcode or 0)
        return (
            f"The process that starts the trials died ({how}). "
            "It imports the packages of all trials: check that there is enough memory."
        )


@contextlib.contextmanager
def _without_interrupts() -> Iterator[None]:
    """Start processes that Ctrl-C never reaches; for this process it waits until the block ends.

    A terminal sends Ctrl-C to all processes, and a new one would print a traceback.
    """
    if not hasattr(signal, "pthread_sigmask"):  # on Windows
        yield
        return
    resource_tracker.ensure_running()  # its start would end the mask
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def _hidden_main_module() -> Iterator[None]:
    """Keep a new process from importing the user's script, which trials do not need.

    The script would start its sweep again, unless it has an `if __name__ == "__main__":`.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main
