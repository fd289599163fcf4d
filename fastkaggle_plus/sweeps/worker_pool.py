"""A process of its own for each job: a small server that has the heavy packages imported forks them, in milliseconds.

The calling process may hold threads, so it forks nothing itself. The server is started afresh, imports what the jobs ask for, and
ends with the call; where forking is not safe (Windows, macOS, an import that started a thread) it starts each process from nothing.
"""

from __future__ import annotations

import contextlib
import importlib
import multiprocessing
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from ..environment import numeric_threads

Tell = Callable[[float, str], None]  # (share done, where)
_TELL_S = 0.2  # apart: one place is not told more often
_END_S = 5.0  # for a process to end before it is killed


@dataclass(frozen=True)
class Place:
    "Where a job runs, as it sees it."

    tell: Tell  # who hears how far it is
    foreign_mb: float | None = (
        None  # memory taken by packages that were imported for other jobs; None: not in a process of its own
    )


Run = Callable[[Any, Place], str]  # (what to do, where) -> traceback, or nothing when it went well


@dataclass(frozen=True)
class Job:
    "What one process does."

    what: Any  # handed to `run`; plain data
    preload: tuple[str, ...] = ()  # packages to import in the server first
    threads: int = 1  # numeric threads


def in_processes(
    run: Run,  # a function at the top of a module
    jobs: Iterator[Job],  # the next is asked for when a process is free to take it
    *,
    workers: int,  # processes at once
    on_progress: Callable[[Job, float, str], None],
) -> Generator[tuple[Job, str]]:
    """Yield (job, traceback or nothing) as jobs end; a process that dies is an error of its own job alone.

    When the iterator is closed, or this process dies, so do all the others.
    """
    numbered, running = enumerate(jobs), dict[int, Job]()
    while True:
        with _Server(run) as server:
            while server.lives:
                while len(running) < workers and (following := next(numbered, None)) is not None:
                    running[following[0]] = following[1]
                    server.send(following)
                if not running:
                    return
                for number, kind, said in server.hear():
                    if kind == "progress":
                        on_progress(running[number], *said)
                    else:
                        yield running.pop(number), said
        for number in list(running):
            yield running.pop(number), server.obituary


class _Server:
    "The calling process's end of the server."

    def __init__(self, run: Run):
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, run))
        with numeric_threads(1):  # a pool of threads would make it unsafe to fork
            self.process.start()
        theirs.close()
        self.lives = True

    def __enter__(self) -> _Server:
        return self

    def __exit__(self, *error: object) -> None:
        self.pipe.close()  # which tells the server to end
        _end(self.process)

    def send(self, numbered: tuple[int, Job]) -> None:
        with contextlib.suppress(OSError):  # it has died: `hear` says so
            self.pipe.send(numbered)

    def hear(self) -> list[tuple[int, str, Any]]:
        try:
            return [self.pipe.recv()]
        except (EOFError, OSError):
            self.lives = False
            return []

    @property
    def obituary(self) -> str:
        code = self.process.exitcode or 0
        guard = (
            ' A script that starts trials does so under `if __name__ == "__main__":`.'
            if code > 0
            else " It imports the packages that they need: is there memory enough for those?"
            if code < 0
            else ""
        )
        return f"The process that starts the trials died ({_how(code)}).{guard}"


def _serve(pipe: Connection, run: Run) -> None:
    "Start a process for each job that comes, pass on what they say, and end them all when the pipe closes."
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the calling process decides what Ctrl-C means
    running: dict[Connection, tuple[int, Any]] = {}
    imported: dict[str, float] = {}  # package -> MB
    try:
        while True:
            ready: Any  # a connection, of the kind that the system has
            for ready in wait([pipe, *running]):
                if ready is pipe:
                    number, job = pipe.recv()
                    _import(job.preload, imported)
                    ours, process = _start(
                        run,
                        job,
                        pipe,
                        sum(mb for name, mb in imported.items() if name not in job.preload),
                    )
                    running[ours] = number, process
                    continue
                number, process = running[ready]
                try:
                    kind, said = ready.recv()
                except (EOFError, OSError):  # it died before it said how it ended
                    process.join(_END_S)
                    kind, said = (
                        "end",
                        f"The worker process died while this trial ran ({_how(process.exitcode)}). {_advice(process.exitcode)}",
                    )
                if kind == "end":
                    del running[ready]
                    ready.close()
                    _end(process)
                pipe.send((number, kind, said))
    except (EOFError, OSError):  # the calling process has gone, or wants no more
        pass
    finally:
        for _, process in running.values():
            process.kill()


def _start(run: Run, job: Job, pipe: Connection, foreign_mb: float) -> tuple[Connection, Any]:
    may_fork = (
        "fork" in multiprocessing.get_all_start_methods()
        and sys.platform != "darwin"
        and _n_threads() == 1
    )
    context: Any = multiprocessing.get_context("fork" if may_fork else "spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(
        target=_work,
        args=(
            theirs,
            run,
            job,
            os.getpid(),
            foreign_mb if may_fork else 0.0,
            pipe if may_fork else None,
        ),
    )
    with numeric_threads(job.threads):
        process.start()
    theirs.close()
    return ours, process


def _work(
    pipe: Connection,
    run: Run,
    job: Job,
    server: int,
    foreign_mb: float,
    inherited: Connection | None,
) -> None:
    "Do one job, in its own process."
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if inherited is not None:
        inherited.close()
    threading.Thread(target=_end_with, args=(server,), daemon=True).start()
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed()  # a fork goes on with the server's numbers; a fresh process has its own
    last_where, last_s = "", 0.0

    def tell(share: float, where: str) -> None:
        nonlocal last_where, last_s
        if where != last_where or time.monotonic() - last_s > _TELL_S:
            last_where, last_s = where, time.monotonic()
            pipe.send(("progress", (share, where)))

    with using_threads(job.threads):
        pipe.send(("end", run(job.what, Place(tell, foreign_mb))))


@contextlib.contextmanager
def using_threads(n: int) -> Iterator[None]:
    "Compute on so many threads in the block, with libraries imported before or in it."
    from threadpoolctl import threadpool_limits  # comes with scikit-learn

    torch = sys.modules.get("torch")  # it has pools of its own
    before = torch.get_num_threads() if torch else 0
    with numeric_threads(n), threadpool_limits(n):
        if torch:
            torch.set_num_threads(n)
        try:
            yield
        finally:
            if torch:
                torch.set_num_threads(before)


def _end_with(server: int) -> None:
    "End when the server has gone: whatever is killed leaves no process behind."
    while os.getppid() == server:
        time.sleep(0.5)
    os._exit(1)


def _import(names: tuple[str, ...], imported: dict[str, float]) -> None:
    "Import what is not there yet, and note the memory that each took."
    for name in names:
        if name not in imported:
            before = _own_mb()
            with (
                warnings.catch_warnings(),
                contextlib.suppress(Exception),
            ):  # a package that is missing or broken: the trial that needs it says so
                warnings.simplefilter("ignore")
                importlib.import_module(name)
            imported[name] = _own_mb() - before


def _own_mb() -> float:
    "Memory of this process that a fork is counted for too: all but the pages of files, which it maps anew as it uses them."
    try:
        resident, shared = Path("/proc/self/statm").read_text().split()[1:3]
    except OSError:
        return 0.0
    return (int(resident) - int(shared)) * os.sysconf("SC_PAGE_SIZE") / 2**20


def _end(process: Any) -> None:
    process.join(_END_S)
    if process.exitcode is None:
        process.kill()
        process.join()


def _n_threads() -> int:
    "Threads of this process, those of libraries included, where the system tells; else those of Python."
    try:
        return len(list(Path("/proc/self/task").iterdir()))
    except OSError:
        return threading.active_count()


def _advice(code: int | None) -> str:
    "What to do about a process that ended like this."
    if code == -getattr(signal, "SIGKILL", 9):
        return "Out of memory is the usual cause: run it alone (--workers 1, workers=1), with smaller batches or images."
    if code is not None and code >= 0:
        return "Its code, or a library, ended the process: look for sys.exit, and at what it printed before."
    return "A library crashed: look at what it printed before, and try it with one thread, or on fewer rows."


def _how(code: int | None) -> str:
    "How a process ended, in words."
    if code is not None and code < 0:
        with contextlib.suppress(ValueError):
            return f"killed by {signal.Signals(-code).name}"
    return f"exit status {code}"
