"""Run contenders as processes, measure their seconds, and keep their results in a folder."""

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
PEERS = {"AutoGluon medium": "medium_quality", "AutoGluon good": "good_quality"}
CORES = 2
# Nothing is downloaded, and threads that wait use no CPU time: else AutoGluon's networks take ten
# times as long on a machine that does something else too.
VARIABLES = {"HF_HUB_OFFLINE": "1", "OMP_WAIT_POLICY": "PASSIVE", "KMP_BLOCKTIME": "0"}


@dataclass(frozen=True, eq=False)
class Run:
    """The result of one contender on one data set."""

    contender: str
    test: np.ndarray  # (n_test, n_outputs), in the order of test.csv
    facts: dict[str, Any]  # of the contender: cv, trials, ...
    wall_s: float
    cpu_s: float  # of its process and of all processes that it started


def output(contender: str, folder: Path, results: Path) -> Path:
    """Return the folder of a contender's result on the data set in `folder`."""
    return results / folder.name / contender.replace(" ", "-")


def run(
    contender: str,
    folder: Path,  # of the data set
    results: Path,
    *,
    autogluon: Path,  # its environment
    limit_s: float,  # of AutoGluon
) -> Run | None:
    """Run a contender unless its result is there; return None if it failed: see its log."""
    out = output(contender, folder, results)
    if not (out / "seconds.json").exists():
        command = [sys.executable, "-m", "tests.benchmarks.unseen_parts.contender", contender]
        if contender in PEERS:
            python, script = autogluon / "bin/python", HERE / "autogluon_peer.py"
            command = [str(python), str(script), PEERS[contender]]
        command += [str(folder), str(out)]
        command += [str(limit_s), str(CORES)] if contender in PEERS else []
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        start, where = time.monotonic(), dict(cwd=HERE.parents[2], stderr=subprocess.STDOUT)
        with (out / "log.txt").open("w") as log:
            variables = os.environ | VARIABLES
            process = subprocess.Popen(command, stdout=log, env=variables, **where)
            _, status, used = os.wait4(process.pid, 0)
        if status:
            return None
        seconds = dict(wall_s=time.monotonic() - start, cpu_s=used.ru_utime + used.ru_stime)
        for heavy in ("models", "vault"):
            shutil.rmtree(out / heavy, ignore_errors=True)
        (out / "seconds.json").write_text(json.dumps(seconds), "utf-8")
    seconds, facts = (json.loads((out / f"{n}.json").read_text()) for n in ("seconds", "facts"))
    with np.load(out / "predictions.npz") as file:
        return Run(contender, file["test"], facts, **seconds)


def make_autogluon(folder: Path) -> None:
    """Make an environment with AutoGluon and all its models for tables, unless it is there."""
    python = str(folder / "bin/python")
    if not Path(python).exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        install = [python, "-m", "pip", "install", "--quiet", "autogluon.tabular[all]"]
        subprocess.run(install, check=True)
