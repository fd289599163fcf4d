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

ROOT = Path(__file__).parents[3]
PEERS = {"AutoGluon medium": "medium_quality", "AutoGluon good": "good_quality"}
CORES = 2


@dataclass(frozen=True, eq=False)
class Run:
    """What one contender did on one data set."""

    contender: str
    test: np.ndarray  # (n_test, n_outputs), in the order of test.csv
    facts: dict[str, Any]  # of the contender: cv, trials, ...
    wall_s: float
    cpu_s: float  # of its process and of all processes that it started


def command(
    contender: str, folder: Path, out: Path, *, autogluon: Path, limit_s: float
) -> list[str]:
    """Return the command that runs a contender on the data set in `folder`."""
    if contender in PEERS:
        script = ROOT / "tests/benchmarks/unseen_parts/autogluon_peer.py"
        options = [str(limit_s), str(CORES)]
        python = str(autogluon / "bin/python")
        return [python, str(script), PEERS[contender], str(folder), str(out), *options]
    module = "tests.benchmarks.unseen_parts.contender"
    return [sys.executable, "-m", module, contender, str(folder), str(out)]


def run(contender: str, folder: Path, results: Path, **options: Any) -> Run | None:
    """Run a contender unless its result is there; return None if it failed: see its log."""
    out = results / folder.name / contender.replace(" ", "-")
    if not (out / "seconds.json").exists():
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        with (out / "log.txt").open("w") as log:
            start = time.monotonic()
            process = subprocess.Popen(
                command(contender, folder, out, **options),
                cwd=ROOT,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "HF_HUB_OFFLINE": "1"},
            )
            _, status, used = os.wait4(process.pid, 0)
            wall_s = time.monotonic() - start
        if status:
            return None
        seconds = dict(wall_s=wall_s, cpu_s=used.ru_utime + used.ru_stime)
        (out / "seconds.json").write_text(json.dumps(seconds), "utf-8")
        for heavy in ("models", "vault"):
            shutil.rmtree(out / heavy, ignore_errors=True)
    seconds = json.loads((out / "seconds.json").read_text("utf-8"))
    facts = json.loads((out / "facts.json").read_text("utf-8"))
    with np.load(out / "predictions.npz") as file:
        return Run(contender, file["test"], facts, **seconds)


def make_autogluon(folder: Path) -> None:
    """Make an environment with AutoGluon and all its models for tables, unless it is there."""
    if not (folder / "bin/python").exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    has_it = subprocess.run([str(folder / "bin/python"), "-c", "import autogluon.tabular"])
    if has_it.returncode:
        pip = [str(folder / "bin/python"), "-m", "pip", "install", "--quiet"]
        subprocess.run([*pip, "autogluon.tabular[all]"], check=True)
