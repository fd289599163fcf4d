"""Interrupt `fkp sweep` at random moments until it has finished; count what stays or is lost.

python tests/benchmarks/interrupts.py [seed] [times]
"""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.cli.test_sweep_command import processes_of
from tests.workflow.toy import make_toy

N_TRIALS, LONGEST_S = 12, 14.0
MODELS = """
import time
from fastkaggle_plus.modeling import tree_model

def slow(leaves):
    with open("LOG", "a") as f:
        f.write("started\\n")
    time.sleep(0.4)
    return tree_model(max_leaf_nodes=leaves)
"""
TRIALS = f"""
from fastkaggle_plus import Trial
TRIALS = tuple(Trial(f"t{{i}}", "models.slow", {{"leaves": i}}) for i in range(2, {2 + N_TRIALS}))
"""


def main(seed: int = 0, times: int = 15) -> None:
    """Print one line for each interrupt, then the totals."""
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        at = Path(folder)
        toy = make_toy(at / "bundles", n=120, n_test=60) / "toy"
        (toy / "trials.py").write_text(TRIALS)
        (toy / "models.py").write_text(MODELS.replace("LOG", str(at / "log")))
        command = [sys.executable, "-m", "fastkaggle_plus", "sweep", "toy", "--bundles", "bundles"]
        command += ["--folds", "2", "--workers", "2", "--json"]
        n_left = n_tracebacks = 0
        for _ in range(times):
            sweep = subprocess.Popen(
                command,
                cwd=at,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )
            wait_s = rng.choice([rng.uniform(0.2, LONGEST_S), rng.uniform(2, 4)])
            time.sleep(wait_s)
            send = rng.choice([os.kill, os.killpg])  # one process, or all as a terminal does
            start = time.monotonic()
            send(sweep.pid, signal.SIGINT)
            err = sweep.communicate(timeout=60)[1]
            took_s = time.monotonic() - start
            time.sleep(1.0)
            left = processes_of(sweep.pid)
            n_left, n_tracebacks = n_left + len(left), n_tracebacks + ("Traceback" in err)
            print(f"after {wait_s:4.1f} s: status {sweep.returncode}, ended in {took_s:.1f} s")
        last = subprocess.run(command, cwd=at, capture_output=True, text=True, check=True)
        outcome = json.loads(last.stdout.splitlines()[-1])
        done = outcome["trials"]
        print(
            f"{times} interrupts: {n_left} processes left, {n_tracebacks} tracebacks; "
            f"{len(done)} of {N_TRIALS} trials finished, {sum(t['reused'] for t in done)} of them "
            f"before the last call; {len((at / 'log').read_text().split())} starts"
        )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
