"""Titanic's rows, and changed copies of them."""

import numpy as np
import pandas as pd
import pytest

from fastkaggle_plus.competition import builtin_folder, load_comp


@pytest.fixture(scope="session")
def comp():
    return load_comp("titanic")


@pytest.fixture(scope="session")
def files():
    """train.csv and test.csv as they are."""
    folder = builtin_folder() / "titanic"
    return pd.read_csv(folder / "train.csv"), pd.read_csv(folder / "test.csv")


@pytest.fixture(scope="session")
def data(comp):
    return comp.read(comp.folder)


@pytest.fixture
def read(comp, tmp_path):
    """Read a changed train and test."""

    def of(train, test):
        train.to_csv(tmp_path / "train.csv", index=False)
        test.to_csv(tmp_path / "test.csv", index=False)
        return comp.read(tmp_path)

    return of


@pytest.fixture(scope="session")
def features(comp):
    """competitions/titanic/data.py as a module."""
    return comp.module("data")


@pytest.fixture(scope="session")
def half(data):
    """Rows to fit and rows to validate, every party on both sides."""
    order = np.random.default_rng(0).permutation(len(data.train))
    return order[:600], order[600:]
