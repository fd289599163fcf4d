"""Run 60 trials in the sandbox's kernels while Kaggle fails in every known way.

The GPU hours end in the middle; then a new week starts and the same call goes on. Prints what must
hold: pushes sent twice, seconds over the quota, results, and the share of the billed time in which
a trial ran. `python -m tests.benchmarks.kernel_fleet [--trials 60] [--wait 8]`.
"""

import argparse
import json
import sqlite3
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from fastkaggle_plus.sandbox import Limits
from fastkaggle_plus.sweeps import Sweep, Vault, run_local
from fastkaggle_plus.sweeps.run_kaggle import run_kaggle

# A script finds only its own folder.
sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.sweeps.kaggle.kernel_toy import make_bundles, served, slow_trials

FAULTS = (
    "drop-after:SaveKernel",
    "drop-before:SaveKernel:nth=2",
    "429:GetKernelSessionStatus:times=3,retry_after=1",
    "503:GetAcceleratorQuotaStatistics:nth=3",
    "stale-running=20:nth=3",
    "false-cancel:nth=1",
    "kernel-dies:nth=2,at=8",
    "quota-ends",
)
N_FOLDS, START_S, MARGIN_S = 3, 8.0, 5.0


def measure(at: Path, n_trials: int, wait_s: float) -> dict[str, object]:
    """Run the sweep in two weeks; return what must hold."""
    bundles = make_bundles(at)
    sweep = Sweep("waits", slow_trials(n_trials, wait_s), n_folds=N_FOLDS)
    vault, work_s = Vault(at / "vault"), n_trials * N_FOLDS * wait_s / 2  # two cards
    quotas_s = (0.6 * work_s, 4.0 * work_s)
    over_s, weeks = [], []
    for quota_s in quotas_s:
        limits = Limits(quota_s={"gpu": quota_s, "tpu": 0.0})
        with served(bundles, at, faults=FAULTS, limits=limits) as (comp, path, box, client):
            results = run_kaggle(
                sweep,
                comp,
                path,
                vault=vault,
                client=client,
                journal=at / "journal",
                gpu=True,
                n_kernels=2,
                start_s=START_S,
                margin_s=MARGIN_S,
                poll_s=1.0,
                on_progress=lambda *step: None,
                on_step=lambda name, detail: print(f"  {name}: {detail}", flush=True),
            )
            weeks.append(sum(r.predictions is not None for r in results))
            over_s.append(max(0.0, sum(e - s for s, e in _sessions(at)) - quota_s))
            faults = {fault.spec: fault.done for fault in box.faults.listed()}
    local = run_local(
        Sweep("waits", slow_trials(n_trials), n_folds=N_FOLDS), comp, path, vault=Vault(at / "v2")
    )
    same = [
        np.array_equal(a.predictions.oof, b.predictions.oof)
        for a, b in zip(results, local, strict=True)
        if a.predictions and b.predictions
    ]
    billed_s, inside_s = _billed(at, vault)
    keys = [run.key for run in vault.runs() if run.status == "done"]
    n_versions = _query(at, "select count(*) from kernel_sessions")[0][0]
    n_sent = len(list((vault.folder / "kernels").glob("*/*.json")))
    return {
        "trials finished in each week": weeks,
        "results": len(keys),
        "results stored twice": len(keys) - len(set(keys)),
        "bytes as local": sum(same),
        "kernels": n_sent,
        "pushes sent twice": n_versions - n_sent,
        "seconds over the quota": over_s,
        "billed s": round(billed_s, 1),
        "share inside trials": round(inside_s / billed_s, 3),
        "faults": faults,
    }


def _query(at: Path, sql: str) -> list[tuple]:
    [file] = (at / "state").glob("*.db")
    with sqlite3.connect(file) as db:
        return db.execute(sql).fetchall()


def _sessions(at: Path) -> list[tuple[float, float]]:
    """Return the start and end of every session, also of deleted kernels."""
    return _query(at, "select started, ended from kernel_sessions where started is not null")


def _billed(at: Path, vault: Vault) -> tuple[float, float]:
    """Return the billed seconds, and those in which a trial ran."""
    sessions = sorted(_sessions(at))
    shards = sorted((vault.folder / "kernels").glob("*/*/shard.json"))
    inside_s = 0.0
    for (start, end), file in zip(sessions, shards, strict=True):
        facts = json.loads(file.read_text())
        spans = [(b, facts["ended"].get(n, end - start)) for n, b in facts["begun"].items()]
        covered = 0.0
        for b, e in sorted(spans):
            inside_s += max(0.0, e - max(b, covered))
            covered = max(covered, e)
    return sum(end - start for start, end in sessions), inside_s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--wait", type=float, default=8.0, help="seconds of each fold")
    chosen = parser.parse_args()
    start = time.time()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), chosen.trials, chosen.wait)
    for name, value in found.items():
        print(f"{name:30} {value}")
    print(f"{'wall clock s':30} {time.time() - start:.0f}")


if __name__ == "__main__":
    main()
