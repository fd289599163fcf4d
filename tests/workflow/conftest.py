"""A user's folder, and a sandbox that plays the real Kaggle for it."""

import os
import shutil

import pytest

from fastkaggle_plus.sandbox import running

from .live_kaggle import as_real_kaggle
from .toy import make_toy

ONE_TRIAL = """from fastkaggle_plus import Trial
TRIALS = (Trial("tree", "forest.tree_model", {"max_leaf_nodes": 4}),)
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    """The user's folder: a competition, bundles to rehearse it, and no account in sight."""
    for name in list(os.environ):
        if name.startswith("KAGGLE") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("FKP_HOME", str(tmp_path / "fkp_home"))
    monkeypatch.setenv("HOME", str(tmp_path))
    toy = make_toy(tmp_path / "bundles", n=120, n_test=60) / "toy"
    (toy / "trials.py").write_text(ONE_TRIAL)
    own = tmp_path / "competitions/toy"
    own.mkdir(parents=True)
    for name in ("competition.toml", "trials.py"):
        shutil.copy(toy / name, own / name)
    return tmp_path


@pytest.fixture
def real(place, tmp_path_factory):
    """The real Kaggle: the same competition with other rows, and what it received."""
    folder = tmp_path_factory.mktemp("real")
    make_toy(folder / "bundles", n=120, n_test=60, seed=1)
    with running(folder / "bundles", state=folder / "sandbox") as box, as_real_kaggle(box):
        box.folder = folder
        yield box
