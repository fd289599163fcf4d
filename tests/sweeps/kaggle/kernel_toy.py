"""A competition that a sandbox serves, with trials that take a known time in its kernels."""

import contextlib
from pathlib import Path

import numpy as np
import pandas as pd

from fastkaggle_plus.competition import load_comp
from fastkaggle_plus.kaggle_client import connect
from fastkaggle_plus.sandbox import running
from fastkaggle_plus.sweeps import Trial

from ...bundles import write_bundle

MODELS = """
import time
from pathlib import Path

from fastkaggle_plus.modeling import Model, tree_model

RULES = "rules.txt"

def slow(n_leaves=4, wait=0.0, seed=0):
    def fit(table):
        time.sleep(wait)
        return tree_model(max_leaf_nodes=n_leaves).fit(table)
    return Model("slow", fit)

def broken():
    raise RuntimeError("the trial failed on purpose")
"""


def make_bundles(at: Path) -> Path:
    """Write the competition `waits` as a bundle with models, and return the folder of bundles."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 3))
    frame = pd.DataFrame(x, columns=list("abc")).assign(
        id=range(200), y=(x[:, 0] + 0.5 * rng.normal(size=200) > 0).astype(int)
    )
    bundle = write_bundle(at / "bundles" / "waits", frame, 120, MODELS)
    (bundle / "rules.txt").write_text("He said \"C:\\new\" and '''stopped''' \u00e9\"\"\"")
    return bundle.parent


def slow_trials(n: int, wait: float = 0.0, first: int = 2) -> tuple[Trial, ...]:
    """Return trials whose fits wait, each with another tree."""
    leaves = range(first, first + n)
    return tuple(Trial(f"t{i}", "models.slow", {"n_leaves": i, "wait": wait}) for i in leaves)


@contextlib.contextmanager
def served(bundles: Path, at: Path, **options):
    """Serve the bundles; yield the competition, its data's folder, the sandbox and a client."""
    comp = load_comp(bundles / "waits")
    with running(bundles, state=at / "state", **options) as box:
        client = connect(box.url, user=box.user, key=box.key)
        yield comp, comp.folder / "files", box, client
