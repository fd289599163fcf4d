"""The places where a sweep runs, for the contract suite: each brings up what it needs."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fastkaggle_plus.competition import Competition, load_comp

from ..bundles import write_bundle

MODELS = """
import os
from fastkaggle_plus.modeling import Model, progress, tree_model

def steps(max_leaf_nodes=4, epochs=2):
    def fit(table):
        for i in range(epochs):
            progress.report_epoch(i + 1, epochs)
        return tree_model(max_leaf_nodes=max_leaf_nodes).fit(table)
    return Model("steps", fit)

def broken():
    raise RuntimeError("the trial failed on purpose")

def dies():
    os.kill(os.getpid(), 9)
"""


@dataclass(frozen=True)
class Place:
    """A place that is ready to run sweeps."""

    comp: Competition
    path: Path  # its data
    options: dict[str, Any] = field(default_factory=dict)  # of run_NAME
    where: str = ""  # how the progress names it


def write_toy(at: Path) -> Path:
    """Write a competition whose split separates groups, with models, as a sandbox bundle."""
    rng = np.random.default_rng(0)
    patient, level = np.arange(240) % 32, rng.random(80)
    patient[160:] += 32  # the patients of test are others
    frame = pd.DataFrame({"id": range(240), "patient": [f"case {p} of us" for p in patient]})
    frame["a"], frame["b"] = level[patient], rng.normal(size=240)
    frame["y"] = rng.permutation(np.arange(80) % 2)[patient]  # a model can only learn who is who
    return write_bundle(at / "bundles" / "toy", frame, 160, MODELS)


@contextlib.contextmanager
def _local(at: Path, fixture: Callable[[str], Any]) -> Iterator[Place]:
    comp = load_comp(write_toy(at))
    yield Place(comp, comp.folder / "files")


@contextlib.contextmanager
def _ray(at: Path, fixture: Callable[[str], Any]) -> Iterator[Place]:
    """A cluster of two nodes on this machine."""
    fixture("cluster")
    comp = load_comp(write_toy(at))
    yield Place(comp, comp.folder / "files", where="node ")


@contextlib.contextmanager
def _kaggle(at: Path, fixture: Callable[[str], Any]) -> Iterator[Place]:
    """A sandbox whose kernels run the trials."""
    from fastkaggle_plus.kaggle_client import connect
    from fastkaggle_plus.sandbox import running

    bundle = write_toy(at)
    comp = load_comp(bundle)
    with running(bundle.parent, state=at / "state") as box:
        client = connect(box.url, user=box.user, key=box.key)
        options = {"client": client, "journal": at / "journal", "poll_s": 0.5, "start_s": 1.0}
        yield Place(comp, comp.folder / "files", options, "fkp-")


# A new place needs an entry here. It makes the place ready in a folder, with fixtures by name.
Ready = Callable[[Path, Callable[[str], Any]], contextlib.AbstractContextManager[Place]]
PLACES: dict[str, Ready] = {"local": _local, "ray": _ray, "kaggle": _kaggle}
