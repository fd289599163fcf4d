"""Ctrl-C reaches the process that started a sweep, and none of its workers."""

import os
import signal
import time

import pytest

from fastkaggle_plus.sweeps.local.worker_pool import run_jobs
from fastkaggle_plus.sweeps.local.worker_process import WorkerJob

pytestmark = pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="needs POSIX")


def blocked(task, report, foreign_mb):
    """A job that returns its process, the server, and whether both block Ctrl-C."""
    report(0.0, f"{os.getpid()} {os.getppid()}")
    time.sleep(task)
    return str(signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ()))


def run(wait, on_progress=lambda *report: None):
    jobs = [WorkerJob(wait)]
    return run_jobs(blocked, lambda running: jobs.pop() if jobs else None, on_progress=on_progress)


def test_new_processes_block_it_from_their_start_and_this_one_does_not():
    assert [error for _, error in run(0)] == ["True"]
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_it_ends_the_workers():
    pids = []

    def interrupt(job, share, step):
        pids.extend(map(int, step.split()))
        for pid in (*pids, os.getpid()):
            os.kill(pid, signal.SIGINT)  # as a terminal does
        time.sleep(1)

    ended = run(60, interrupt)
    with pytest.raises(KeyboardInterrupt):
        list(ended)
    ended.close()
    for _ in range(100):
        if not any(os.path.exists(f"/proc/{pid}") for pid in pids):
            break
        time.sleep(0.05)
    assert pids and not any(os.path.exists(f"/proc/{pid}") for pid in pids)
