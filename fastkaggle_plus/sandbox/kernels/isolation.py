"""What the system lets us keep apart for a kernel, the command that starts one so, and an end for all that carries its mark."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

TRANSIENT = (
    "input",
    "merged",
    "home",
    "temp",
    "tmp",
    "lib",
    "root",
    "layer",
    "layer.work",
)  # folders of a run that go with its end
_HERE = Path(__file__).resolve().parent


@functools.cache
def isolation() -> frozenset[str]:
    "Return what this system lets us keep apart for a kernel: `files`, `network`."
    if sys.platform != "linux" or shutil.which("unshare") is None:
        return frozenset()
    found = set()
    for kind in _FLAGS:
        with tempfile.TemporaryDirectory() as folder:
            command = lay_out(
                Path(folder),
                dict(command=["true"], cwd="/", env={}, inputs={}, hidden=[], kept=[]),
                frozenset({kind}),
            )
            with subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            ) as process:
                if process.wait(timeout=60) == 0:
                    found.add(kind)
    return frozenset(found)


_FLAGS = {"files": ["--mount", "--pid", "--fork", "--kill-child"], "network": ["--net"]}


def lay_out(
    at: Path,  # the run's folder
    job: dict[str, Any],  # what namespace_init.py reads
    apart: frozenset[str],  # files | network
) -> list[str]:
    "Make the run's folders and the file for namespace_init.py, and return the command that starts it."
    for name in (*TRANSIENT, "working", "src"):
        (at / name).mkdir(parents=True, exist_ok=True)
    job = {
        **job,
        "run": str(at.resolve()),
        "prefix": sys.prefix,
        "own_files": "files" in apart,
        "own_network": "network" in apart,
    }
    (at / "job.json").write_text(json.dumps(job), encoding="utf-8")
    start = (
        [
            "unshare",
            "--user",
            "--map-root-user",
            *(flag for kind in sorted(apart) for flag in _FLAGS[kind]),
        ]
        if apart
        else []
    )
    return [*start, sys.executable, "-I", str(_HERE / "namespace_init.py"), str(at / "job.json")]


def end_marked(marker: str) -> None:
    "End processes that carry a marker in their environment: also those that left the run's process group."
    wanted = f"KAGGLE_CONTAINER_NAME={marker}\0".encode()
    for _ in range(5):
        found = list(_carrying(wanted))
        if not found:
            return
        for pid in found:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)


def _carrying(wanted: bytes) -> Iterable[int]:
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (
                wanted in (entry / "environ").read_bytes() + b"\0"
                and "\nState:\tZ" not in (entry / "status").read_text()
            ):
                yield int(entry.name)
