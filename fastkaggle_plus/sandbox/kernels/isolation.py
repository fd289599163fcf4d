"""Isolate a kernel in Linux namespaces where the system allows it, and end its processes."""

import contextlib
import functools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ...environment import harmless_variables

# Folders of a run that are removed when it ends.
TEMPORARY_FOLDERS = "input merged home temp tmp lib root attach layer layer.work".split()
GATEWAY_PORT = 80  # in a network of the kernel's own: http://localhost is the gateway
_CONTROL_TIMEOUT_S = 20
_UNSHARE_FLAGS = {"files": ["--mount", "--pid", "--fork", "--kill-child"], "network": ["--net"]}
_NAMESPACE_INIT = Path(__file__).resolve().parent / "namespace_init.py"


@functools.cache
def supported_isolation() -> frozenset[str]:
    """Return what a kernel can have for itself on this system: `files`, `network`."""
    if sys.platform != "linux" or shutil.which("unshare") is None:
        return frozenset()
    return frozenset(kind for kind in _UNSHARE_FLAGS if _can_isolate(kind))


def _can_isolate(kind: str) -> bool:
    launch = dict(command=["true"], cwd="/", env={}, inputs={}, hidden=[], visible=[])
    with tempfile.TemporaryDirectory() as folder:
        command = launch_command(Path(folder), launch, frozenset({kind}))
        process, control = start(command, subprocess.DEVNULL)
        with process, contextlib.closing(control):
            return process.wait(timeout=60) == 0


class Control:
    """The server's connection to the first process of a kernel, which ends when it is closed."""

    def __init__(self, connection: socket.socket):
        self._connection = connection
        connection.settimeout(_CONTROL_TIMEOUT_S)

    def receive_listener(self) -> socket.socket | None:
        """Return the socket that listens in the kernel's network; None if the kernel has ended."""
        with contextlib.suppress(OSError):
            _, fds, _, _ = socket.recv_fds(self._connection, 1, 1)
            return socket.socket(fileno=fds[0]) if fds else None
        return None

    def mount(self, source: Path, path: str) -> None:
        """Mount a folder below input/, read-only. Raises OSError."""
        question = json.dumps({"source": str(source), "path": path})
        with self._connection.makefile("rwb", buffering=0) as stream:
            stream.write(question.encode() + b"\n")
            while True:
                line = stream.readline()
                answer = json.loads(line) if line else {"path": path, "error": "it has ended"}
                if answer["path"] == path:  # another is late: its question timed out
                    break
        if error := answer["error"]:
            raise OSError(f"Cannot attach {path} to the running kernel: {error}")

    def close(self) -> None:
        """End the kernel."""
        self._connection.close()


def start(
    command: list[str],
    output: int = subprocess.PIPE,  # of stdout and stderr
) -> tuple[subprocess.Popen[bytes], Control]:
    """Start the first process of a kernel."""
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(
            command,
            stdin=theirs.fileno(),
            stdout=output,
            stderr=output,
            start_new_session=True,
            env=harmless_variables(),
        )
    return process, Control(ours)


def launch_command(
    at: Path,  # the run's folder
    launch: dict[str, Any],  # command, cwd, env, inputs, hidden, visible; see namespace_init.py
    isolated: frozenset[str],  # files | network
) -> list[str]:
    """Write the launch file, make the run's folders, and return the command that starts the run."""
    for name in (*TEMPORARY_FOLDERS, "working", "src", "executed"):
        (at / name).mkdir(parents=True, exist_ok=True)
    launch = {
        **launch,
        "run": str(at.resolve()),
        "prefix": sys.prefix,
        "own_files": "files" in isolated,
        "own_network": "network" in isolated,
        "port": GATEWAY_PORT,
    }
    file = at / "job.json"
    file.write_text(json.dumps(launch), encoding="utf-8")
    command = [sys.executable, "-I", str(_NAMESPACE_INIT), str(file)]
    if not isolated:
        return command
    flags = [flag for kind in sorted(isolated) for flag in _UNSHARE_FLAGS[kind]]
    return ["unshare", "--user", "--map-root-user", *flags, *command]


def end_marked_processes(marker: str) -> None:
    """Kill all processes of a container, also those that have left its process group."""
    wanted = f"KAGGLE_CONTAINER_NAME={marker}\0".encode()
    for _ in range(5):
        found = list(_find_processes(wanted))
        if not found:
            return
        for pid in found:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)


def _find_processes(wanted: bytes) -> Iterable[int]:
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if wanted in (entry / "environ").read_bytes() + b"\0":
                if "\nState:\tZ" not in (entry / "status").read_text():
                    yield int(entry.name)
