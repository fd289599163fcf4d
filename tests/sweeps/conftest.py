"""A small competition whose folder has models that log, wait, fail, crash or report progress."""

import numpy as np
import pandas as pd
import pytest

from fastkaggle_plus.competition import load_comp

from ..bundles import write_competition

MODELS = """
import os, pathlib, time
from fastkaggle_plus.modeling import Model, progress, tree_model

def counted(n_leaves=4, log="", wait=0.0, seed=0):
    with open(log, "a") as f:
        f.write(f"{n_leaves} {os.getpid()}\\n")
    time.sleep(wait)
    return tree_model(max_leaf_nodes=n_leaves)

def broken():
    raise RuntimeError("the trial failed on purpose")

def dies(wait=0.0):
    time.sleep(wait)
    os.kill(os.getpid(), 9)

def ends():
    os._exit(3)

def kills_the_server():
    os.kill(os.getppid(), 9)
    time.sleep(60)

def threads(log="", use_torch=False):
    from threadpoolctl import threadpool_info
    pools = {pool["num_threads"] for pool in threadpool_info()}
    pools.add(int(os.environ["OMP_NUM_THREADS"]))
    if use_torch:
        import torch
        pools.add(torch.get_num_threads())
    pathlib.Path(log).write_text(str(sorted(pools)))
    return tree_model()

def hungry(mb=0):
    def fit(table):
        memory = bytearray(mb * 2**20)
        memory[::4096] = b"x" * len(memory[::4096])   # touch each page
        return tree_model(max_leaf_nodes=2).fit(table)
    return Model("hungry", fit)

def epochs(epochs=3, freeze_epochs=1, seed=0):
    def fit(table):
        for i in range(epochs):
            progress.report_epoch(i + 1, epochs)
        return tree_model(max_leaf_nodes=2 + seed % 3).fit(table)
    return Model("epochs", fit)
"""


def make_toy(at):
    """Write the competition to the folder `at`/toy, and load it."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 3))
    frame = pd.DataFrame(x, columns=list("abc")).assign(
        id=range(300), y=(x[:, 0] + 0.5 * rng.normal(size=300) > 0).astype(int)
    )
    return load_comp(write_competition(at / "toy", frame, 200, MODELS))


@pytest.fixture
def toy(tmp_path):
    return make_toy(tmp_path)


@pytest.fixture(scope="package")
def cluster():
    """Two Ray nodes of one CPU. All tests use one connection, so that Ray keeps its workers."""
    ray = pytest.importorskip("ray")
    from ..benchmarks.engines import start_cluster

    found = start_cluster(gpus=1)  # a GPU that only Ray knows
    ray.init(address=found.address, log_to_driver=False, logging_level="ERROR")
    yield found
    ray.shutdown()
    found.shutdown()
