"""Time a sweep of equal trials on two GPUs against one, as a ratio measured in one run.

    python tests/benchmarks/cards.py [--trials 8] [--seconds 2] [--repeats 3]

The GPUs are fake, and a trial waits: it measures what the sweep adds, not the hardware. With real
GPUs, give trials of a competition: `fkp sweep SLUG --cards 0` and `--cards 0,1`.
"""

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from fastkaggle_plus import Sweep, Trial, Vault, load_comp, no_progress, run_local

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # a script finds only its own folder

from tests.bundles import write_competition

MODELS = """
import time
from fastkaggle_plus.modeling import Model, tree_model

def waits(seconds, n):
    def fit(table):
        time.sleep(seconds)
        return tree_model(max_leaf_nodes=n).fit(table)
    return Model("waits", fit)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=2.0, help="Of one trial.")
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        comp, ratios = make_competition(Path(folder)), []
        for i in range(args.repeats):
            took = {}
            for cards in (["0"], ["0", "1"]):
                vault = Vault(Path(folder) / f"vault-{i}-{len(cards)}")
                took[len(cards)] = sweep_s(comp, vault, cards, args.trials, args.seconds)
            ratios.append(took[2] / took[1])
            print(
                f"one card {took[1]:.2f} s, two cards {took[2]:.2f} s, ratio "
                f"{ratios[-1]:.3f}; time in trials: "
                f"{args.trials * args.seconds / took[1]:.0%} and "
                f"{args.trials * args.seconds / took[2] / 2:.0%}"
            )
        print(f"median of the ratios: {statistics.median(ratios):.3f}")


def sweep_s(comp, vault, cards, n, seconds) -> float:
    """Return the seconds of a sweep of n trials."""
    params = {"seconds": seconds / 2}  # for each of two folds
    trials = [Trial(f"t{i}", "models.waits", {**params, "n": 2 + i}, num_gpus=1) for i in range(n)]
    start = time.perf_counter()
    with no_progress():
        results = run_local(
            Sweep(comp.slug, tuple(trials), n_folds=2), comp, comp.folder, vault=vault, cards=cards
        )
    took = time.perf_counter() - start
    assert not [r for r in results if r.failed], results
    return took


def make_competition(at: Path):
    """Write a competition of 300 rows, and load it."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 3))
    rows = pd.DataFrame(x, columns=list("abc")).assign(id=range(300), y=(x[:, 0] > 0).astype(int))
    return load_comp(write_competition(at / "equal", rows, 200, MODELS))


if __name__ == "__main__":
    main()
