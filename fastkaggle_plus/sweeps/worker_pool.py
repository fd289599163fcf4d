"""Run jobs in a pool of worker processes, or one after the other in this process.

The calling process may have threads, so it never forks: it starts a fork server, which does.
"""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
from collections.abc import Callable, Generator, Iterator
from typing import Any

from ..environment import numeric_threads
from .fork_server import RunJob, WorkerJob, describe_exit, end_process, limited_threads, serve

OnProgress = Callable[[WorkerJob, float, str], None]  # (job, share done, step)


def run_in_workers(
    run: RunJob,  # a function at the top level of a module
    jobs: Iterator[WorkerJob],  # read one by one, whenever a worker is free
    *,
    workers: int,  # processes at a time
    on_progress: OnProgress,
) -> Generator[tuple[WorkerJob, str]]:
    """Yield (job, traceback) as jobs end, with an empty traceback for success.

    A process that dies is an error of its job only. All processes end when the iterator is closed
    or this process dies.
    """
    numbered, running = enumerate(jobs), dict[int, WorkerJob]()
    while True:
        with _ServerProcess(run) as server:
            while True:
                while len(running) < workers and (next_job := next(numbered, None)) is not None:
                    running[next_job[0]] = next_job[1]
                    server.send(next_job)
                if not running:
                    return
                message = server.receive()
                if message is None:
                    break
                number, kind, value = message
                if kind == "progress":
                    on_progress(running[number], *value)
                else:
                    yield running.pop(number), value
        for number in list(running):
            yield running.pop(number), server.cause_of_death


def run_in_this_process(
    run: RunJob, jobs: Iterator[WorkerJob], *, on_progress: OnProgress
) -> Generator[tuple[WorkerJob, str]]:
    """Do the same as `run_in_workers`, one job after the other and without another process."""
    for job in jobs:
        with limited_threads(job.threads):
            error = run(job.task, functools.partial(on_progress, job), None)
        yield job, error


class _ServerProcess:
    """The fork server, seen from the calling process."""

    def __init__(self, run: RunJob):
        context = multiprocessing.get_context("spawn")
        self.pipe, servers_end = context.Pipe()
        self.process = context.Process(target=serve, args=(servers_end, run))
        with numeric_threads(1):  # a thread pool in the server would make a fork unsafe
            self.process.start()
        servers_end.close()

    def __enter__(self) -> _ServerProcess:
        return self

    def __exit__(self, *error: object) -> None:
        self.pipe.close()  # ends the server
        end_process(self.process)

    def send(self, numbered_job: tuple[int, WorkerJob]) -> None:
        with contextlib.suppress(OSError):  # the server died: `receive` reports it
            self.pipe.send(numbered_job)

    def receive(self) -> tuple[int, str, Any] | None:
        """Return the next message: number of the job, kind, value; None if the server died."""
        try:
            return self.pipe.recv()
        except (EOFError, OSError):
            return None

    @property
    def cause_of_death(self) -> str:
        code = self.process.exitcode or 0
        advice = ""
        if code > 0:
            advice = ' In a script, start trials under `if __name__ == "__main__":`.'
        elif code < 0:
            advice = " It imports the packages of all trials: check that there is enough memory."
        return f"The process that starts the trials died ({describe_exit(code)}).{advice}"
