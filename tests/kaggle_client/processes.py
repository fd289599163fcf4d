"""Run code in a process that can be killed, forked from one where kaggle is imported already."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from .test_session import ROOT

SERVER = """
import json, os, signal, sys, traceback
from fastkaggle_plus.kaggle_client import connect, mk_dataset, push_notebook, submit, submit_code
connect("http://127.0.0.1:1", user="nobody", key="none")  # imports kaggle
signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # leave no zombies
for line in sys.stdin:
    job = json.loads(line)
    pid = os.fork()
    if not pid:
        os.environ.clear()
        os.environ.update(job["env"])
        os.dup2(os.open(job["out"], os.O_WRONLY | os.O_CREAT), 1)
        try:
            exec(job["code"], {})
        except BaseException:
            traceback.print_exc()
        sys.stdout.flush()
        os._exit(0)
    print(pid, flush=True)
"""


class Process:
    """One forked process and what it prints."""

    def __init__(self, code: str):
        handle, out = tempfile.mkstemp(dir=os.environ["HOME"])
        os.close(handle)
        self.out, server = Path(out), _server()
        assert server.stdin and server.stdout
        job = {"code": code, "env": dict(os.environ), "out": out}
        server.stdin.write(json.dumps(job) + "\n")
        server.stdin.flush()
        self.pid = int(server.stdout.readline())

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        self.output()

    def output(self, timeout_s: float = 120.0) -> str:
        """Return what the process printed, once it has ended."""
        ends = time.monotonic() + timeout_s
        with contextlib.suppress(ProcessLookupError):  # it has ended
            while True:
                os.kill(self.pid, 0)
                assert time.monotonic() < ends, "the process did not end"
                time.sleep(0.01)
        return self.out.read_text()


@functools.cache
def _server() -> subprocess.Popen[str]:
    """Start the process to fork from; it ends with this one, as its stdin is closed then."""
    return subprocess.Popen(
        [sys.executable, "-c", SERVER],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
