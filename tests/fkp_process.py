"""Run `fkp` in a process of its own that is forked from a server with the slow imports done.

It behaves like `subprocess.run` of `python -m fastkaggle_plus`, and saves the imports of each call:
one to three seconds.
"""

import contextlib
import multiprocessing
import os
import subprocess
import sys
import tempfile
from pathlib import Path

# kaggle is not among them: it chooses its endpoint when it is imported.
PRELOAD = [
    "fastkaggle_plus.cli.app",
    "fastkaggle_plus.workflow.run",
    "fastkaggle_plus.modeling.validation",
    "fastkaggle_plus.modeling.tabular.forest",
    "sklearn.ensemble",
    "sqlite_utils",
    "matplotlib.figure",
    "starlette.applications",
    "uvicorn",
]
_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(PRELOAD)


def run_fkp(*arguments, cwd, env=None, timeout=600) -> subprocess.CompletedProcess[str]:
    """Run `fkp` with these arguments; return its exit status and what it printed."""
    command = [str(argument) for argument in arguments]
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / name for name in ("stdout", "stderr")]
        environment = dict(os.environ if env is None else env)
        process = _SERVER.Process(target=_main, args=(command, str(cwd), environment, files))
        process.start()
        process.join(timeout)
        if process.exitcode is None:
            process.kill()
            process.join()
        out, err = (file.read_text() if file.exists() else "" for file in files)
    return subprocess.CompletedProcess(["fkp", *command], process.exitcode, out, err)


def _main(command, cwd, environment, files) -> None:
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    for stream, file in zip((sys.stdout, sys.stderr), files, strict=True):
        to = os.open(file, os.O_WRONLY | os.O_CREAT)
        os.dup2(to, stream.fileno())
        os.close(to)
    sys.argv = ["fkp", *command]
    from fastkaggle_plus.cli.app import main

    with contextlib.ExitStack() as at_end:
        at_end.callback(sys.stdout.flush)
        main()
