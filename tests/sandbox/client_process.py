"""Client processes for tests: one that runs calls in a row, and one that forks a fresh client."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

# Clients print, so the answers have their own stream.
CALL_LOOP = """
import json, os, sys, traceback
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
names = {}
for line in sys.stdin:
    names.pop("value", None)
    try:
        exec(json.loads(line), names)
        answer = {"value": names.get("value")}
    except BaseException:
        answer = {"error": traceback.format_exc()}
    print(json.dumps(answer, default=str), file=answers, flush=True)
"""

# What every client imports first. Importing it once saves most of a client's CPU time.
CLIENT_IMPORTS = ("kagglesdk.kaggle_client", "requests", "tqdm")
FORK_LOOP = """
import atexit, importlib, json, os, runpy, signal, sys, traceback
for name in sys.argv[1:]:
    importlib.import_module(name)
answers = os.fdopen(os.dup(1), "w")

def run(job):
    signal.alarm(120)
    os.chdir(job["cwd"])
    os.environ.clear()
    os.environ.update(job["env"])
    for number, name in ((0, os.devnull), (1, job["stdout"]), (2, job["stderr"])):
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC if number else os.O_RDONLY
        os.dup2(os.open(name, flags), number)
    sys.argv = job["argv"]
    try:
        if job["code"]:
            exec(job["code"], {"__name__": "__main__"})
        else:
            runpy.run_path(sys.argv[0], run_name="__main__")
        return 0
    except SystemExit as e:
        if isinstance(e.code, str):
            print(e.code, file=sys.stderr)
        return e.code if isinstance(e.code, int) else int(e.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1

for line in sys.stdin:
    pid = os.fork()
    if pid == 0:
        status = run(json.loads(line))
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    print(status, file=answers, flush=True)
"""


class ClientProcess:
    """Runs code in one long-lived process, so that a client is imported once."""

    def __init__(self, folder: Path, env: dict[str, str], prepare: str):
        self.folder, self.stderr = folder, (folder / "stderr.txt").open("w")
        self.process = _start(CALL_LOOP, cwd=folder, env=env, stderr=self.stderr)
        self(prepare)

    def __call__(self, code: str) -> Any:
        """Run `code` there and return what it set `value` to."""
        answer = json.loads(_ask(self.process, code) or '{"error": "the process has ended"}')
        printed = (self.folder / "stderr.txt").read_text()[-2000:]
        assert "error" not in answer, answer["error"] + printed
        return answer["value"]

    def close(self) -> None:
        _end(self.process)
        self.stderr.close()


class ForkServer:
    """Runs each unmodified client in its own forked process."""

    def __init__(
        self, folder: Path, env: dict[str, str], imports: tuple[str, ...] = CLIENT_IMPORTS
    ):
        self.folder = folder
        self.process = _start(FORK_LOOP, *imports, cwd=folder, env=env)

    def __call__(
        self,
        argv: list[str],  # a script and its arguments
        *,
        cwd: Path,
        env: dict[str, str],
        code: str = "",  # run this instead of the script
    ) -> SimpleNamespace:
        """Run a client to its end and return its stdout, stderr and returncode."""
        files = {name: str(self.folder / name) for name in ("stdout", "stderr")}
        job = {"argv": argv, "cwd": str(cwd), "env": env, "code": code, **files}
        status = int(_ask(self.process, job))
        printed = {name: Path(file).read_text() for name, file in files.items()}
        return SimpleNamespace(**printed, returncode=status)

    def close(self) -> None:
        _end(self.process)


def clean_environment() -> dict[str, str]:
    """Return this process's environment without proxies and without any Kaggle account."""
    proxies = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
    return {
        k: v
        for k, v in os.environ.items()
        if k.lower() not in proxies and not k.startswith("KAGGLE")
    }


def _start(loop: str, *arguments: str, **options: Any) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", loop, *arguments]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    return subprocess.Popen(command, text=True, **pipes, **options)


def _ask(process: subprocess.Popen[str], question: Any) -> str:
    assert process.stdin and process.stdout
    print(json.dumps(question), file=process.stdin, flush=True)
    return process.stdout.readline()


def _end(process: subprocess.Popen[str]) -> None:
    assert process.stdin and process.stdout
    process.stdin.close()
    process.wait(timeout=20)
    process.stdout.close()
