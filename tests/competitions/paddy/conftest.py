"""Paddy's folder, and 300 painted pictures."""

import numpy as np
import pytest

from fastkaggle_plus.competition import load_comp


@pytest.fixture(scope="session")
def comp():
    return load_comp("paddy-disease-classification")


@pytest.fixture(scope="session")
def rehearsal(comp):
    """competitions/paddy-disease-classification/rehearsal.py as a module."""
    return comp.module("rehearsal")


@pytest.fixture(scope="session")
def painting(comp):
    """competitions/paddy-disease-classification/painting.py as a module."""
    return comp.module("painting")


@pytest.fixture(scope="session")
def painted(rehearsal, painting):
    """300 rows and their pictures, as numbers."""
    rows = rehearsal.draw_rows(3, 300)
    pictures = [
        np.asarray(painting.paint(r.shown, r.variety, np.random.default_rng([3, i, 1])))
        for i, r in enumerate(rows.itertuples())
    ]
    return rows, pictures


@pytest.fixture(autouse=True)
def own_home(monkeypatch, tmp_path):
    """Give each test its own home folder, with its own cache of pictures."""
    monkeypatch.setenv("FKP_HOME", str(tmp_path / "home"))
    return tmp_path / "home"
