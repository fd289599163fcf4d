"""Places to run: what one costs beyond its trials, and whether kills lose or double results.

python tests/benchmarks/engines.py                       # overhead and efficiency, as ratios
python tests/benchmarks/engines.py --kills 10            # ten schedules of kills on Ray
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}

import numpy as np
import pandas as pd

from fastkaggle_plus import Sweep, Trial, Vault, load_comp, no_progress, run_local, run_ray

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # a script finds only its own folder

from tests.bundles import write_competition

N_WORKERS = 2
MOST_FAILURES = 5  # of a driver that nothing killed
MODELS = """
import os, time
import numpy as np
from fastkaggle_plus.modeling import FittedFunction, Model

def waits(seconds=0.0, seed=0, log=""):
    with open(log, "a") as f:
        f.write(f"{seed} {os.getpid()}\\n")
    def fit(table):
        time.sleep(seconds / 2)   # of two folds
        share = float(np.mean(table.targs)) + seed * 1e-9
        return FittedFunction(lambda rows: np.tile([1 - share, share], (len(rows), 1)))
    return Model("waits", fit)
"""
DRIVER = """
import sys
from tests.benchmarks.engines import drive
drive(*sys.argv[1:])
"""


def make_comp(at: Path) -> Any:
    """Write a competition of 100 rows to `at`/nothing, and load it."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"id": range(150), "a": rng.normal(size=150), "y": rng.integers(2, size=150)}
    )
    return load_comp(write_competition(at / "nothing", frame, 100, MODELS))


def make_sweep(at: Path, n: int, seconds: float) -> Sweep:
    """Return a sweep of n trials that wait."""
    params = {"seconds": seconds, "log": str(at / "log")}
    trials = [Trial(f"trial {i}", "models.waits", {"seed": i, **params}) for i in range(n)]
    return Sweep("nothing", tuple(trials), n_folds=2)


def start_cluster(gpus: int = 0) -> Any:
    """Start a head and a second node on this machine, with a CPU each."""
    from ray.cluster_utils import Cluster

    head = dict(num_cpus=1, include_dashboard=False, include_log_monitor=False)
    cluster = Cluster(initialize_head=True, head_node_args=head)
    cluster.add_node(num_cpus=1, num_gpus=gpus)
    return cluster


# --- kills -------------------------------------------------------------------------------------


def drive(folder: str, n: str, address: str) -> None:
    """Run the sweep on the cluster. This is the process of a driver that may be killed."""
    at = Path(folder)
    comp = load_comp(at / "nothing")
    with no_progress():
        results = run_ray(
            make_sweep(at, int(n), 0.0),
            comp,
            comp.folder,
            vault=Vault(at / "vault"),
            address=address,
        )
    errors = [r.error for r in results if r.failed]
    print("\n".join(errors[:3]))
    sys.exit(1 if errors else 0)  # the supervisor starts it again


@dataclass
class Killer:
    """A supervised driver, and a seeded schedule of kills of workers, nodes and the driver."""

    at: Path
    n: int
    cluster: Any
    seed: int
    kills: list[str] = field(default_factory=list)  # what was killed, in order
    starts: int = 0  # of the driver

    def run(self, plan: list[str], pause_s: float) -> None:
        """Kill what the plan says, each after a random pause, and run the sweep to its end."""
        chance = random.Random(self.seed)
        plan = chance.sample(plan, len(plan))
        driver = self._start()
        next_s = time.monotonic() + chance.uniform(0.2, 1) * pause_s
        while driver.poll() != 0:
            if driver.returncode is not None:
                if self.starts > len(self.kills) + MOST_FAILURES:
                    raise RuntimeError(f"The driver failed {MOST_FAILURES} times; see its errors.")
                driver = self._start()
            if plan and self._n_started() and time.monotonic() > next_s:
                if self._kill(plan[-1], driver, chance):
                    self.kills.append(plan.pop())
                    next_s = time.monotonic() + chance.uniform(0.2, 1) * pause_s
            time.sleep(0.05)

    def counts(self) -> dict[str, int]:
        """Return the stored runs, and the executions, of each kind."""
        runs = Vault(self.at / "vault").runs()
        keys = {run.key for run in runs if run.status == "done"}
        log = (self.at / "log").read_text().splitlines()
        return {
            "trials": self.n,
            "lost": self.n - len(keys),
            "doubled": len(runs) - len({run.trial for run in runs}) + self._n_left(),
            "executions": len(log),
            "drivers": self.starts,
        }

    def _n_left(self) -> int:
        return len(list((self.at / "vault" / "spool").glob("*.zip")))

    def _n_started(self) -> int:
        log = self.at / "log"
        return len(log.read_text().splitlines()) if log.exists() else 0

    def _start(self) -> subprocess.Popen[bytes]:
        self.starts += 1
        arguments = [str(self.at), str(self.n), self.cluster.address]
        root = Path(__file__).resolve().parents[2]
        return subprocess.Popen([sys.executable, "-c", DRIVER, *arguments], cwd=root)

    def _kill(self, what: str, driver: subprocess.Popen[bytes], chance: random.Random) -> bool:
        """Kill a process of a kind; return whether there was one."""
        if what == "driver":
            driver.kill()
            driver.wait()
        elif what == "node":
            node = chance.choice(list(self.cluster.worker_nodes))
            os.kill(raylet_of(node), signal.SIGKILL)
            self.cluster.remove_node(node, allow_graceful=False)
            self.cluster.add_node(num_cpus=1)  # as an autoscaler would
        elif workers := [w for node in self.cluster.list_all_nodes() for w in workers_of(node)]:
            os.kill(chance.choice(workers), signal.SIGKILL)
        else:
            return False
        return True


def raylet_of(node: Any) -> int:
    """Return the process of a node's raylet."""
    return node.all_processes["raylet"][0].process.pid


def workers_of(node: Any) -> list[int]:
    """Return the worker processes of a node that run a trial."""
    raylet = raylet_of(node)
    children = Path(f"/proc/{raylet}/task/{raylet}/children").read_text().split()
    names = {int(pid): Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children}
    return [pid for pid, name in names.items() if b"run_on_node" in name]


def kill_schedules(n_schedules: int, n_trials: int) -> None:
    """Print, for each seeded schedule, what was killed, and the lost and doubled results."""
    for seed in range(n_schedules):
        with tempfile.TemporaryDirectory() as folder:
            make_comp(Path(folder))
            cluster, start = start_cluster(), time.perf_counter()
            killer = Killer(Path(folder), n_trials, cluster, seed)
            killer.run(["worker", "worker", "node", "driver"], pause_s=n_trials / 60)
            wall_s, counts = time.perf_counter() - start, json.dumps(killer.counts())
            killed = ", ".join(killer.kills)
            print(f"schedule {seed}: killed {killed}; {counts}; {wall_s:.0f} s", flush=True)
            cluster.shutdown()


# --- overhead ----------------------------------------------------------------------------------


def measure(name: str, run: Any, n: int, seconds: float) -> None:
    """Print the share of the workers' time that trials use, and the rest for each trial."""
    with tempfile.TemporaryDirectory() as folder, no_progress():
        at = Path(folder)
        comp = make_comp(at)
        run(make_sweep(at, N_WORKERS * 2, 0.0), comp, comp.folder, vault=Vault(at / "warm"))
        start = time.perf_counter()
        results = run(make_sweep(at, n, seconds), comp, comp.folder, vault=Vault(at / "vault"))
        wall_s = time.perf_counter() - start
        facts = [run.facts for run in Vault(at / "vault").runs()]
    errors = [r.error for r in results if r.error]
    assert len(results) == len(facts) == n and not errors, errors[:1]
    inside_s = sum(f["wall_s"] + f["seconds"]["read"] for f in facts)
    left_s = N_WORKERS * wall_s - inside_s
    print(
        f"{name:6} {n:5} trials of {seconds:g} s: {wall_s:7.1f} s on {N_WORKERS} workers, "
        f"inside trials {inside_s:7.1f} s, efficiency {inside_s / N_WORKERS / wall_s:.3f}, "
        f"overhead {1000 * left_s / n / N_WORKERS:.1f} ms a trial",
        flush=True,
    )


def main() -> None:
    """Run what the arguments ask for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=0, help="schedules of kills")
    parser.add_argument("--trials", type=int, default=1000, help="trials of a schedule")
    parser.add_argument("--quick", action="store_true", help="fewer trials")
    arguments = parser.parse_args()
    if arguments.kills:
        kill_schedules(arguments.kills, arguments.trials)
        return
    import ray

    cluster = start_cluster()
    ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
    for n, seconds in ((60, 1.0), (200, 0.0)):
        n = n // 4 if arguments.quick else n
        measure("local", lambda *a, **kw: run_local(*a, **kw, workers=N_WORKERS), n, seconds)
        measure("ray", run_ray, n, seconds)
    ray.shutdown()
    cluster.shutdown()


if __name__ == "__main__":
    main()
