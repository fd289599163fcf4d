"""The patents' folder, and small files with its columns."""

import pandas as pd
import pytest

from fastkaggle_plus.competition import load_comp

SLUG = "us-patent-phrase-to-phrase-matching"


@pytest.fixture(scope="session")
def comp():
    return load_comp(SLUG)


@pytest.fixture(scope="session")
def rows(comp):
    """competitions/us-patent-phrase-to-phrase-matching/data.py as a module."""
    return comp.module("data")


@pytest.fixture(scope="session")
def bank(comp):
    """The pairs of the phrase bank."""
    return comp.module("rehearsal").bank()


@pytest.fixture(scope="session")
def made(comp, tmp_path_factory):
    """The rehearsal's bundle."""
    return comp.module("rehearsal").make(tmp_path_factory.mktemp("bundles"), seed=1)


@pytest.fixture
def read(comp, tmp_path):
    """Read a train and a test file of pairs; test pairs have no score."""

    def of(train: pd.DataFrame, test: pd.DataFrame):
        numbered = [
            frame.assign(id=[f"{name}{i}" for i in range(len(frame))])
            for name, frame in (("a", train), ("b", test))
        ]
        numbered[0].to_csv(tmp_path / comp.train, index=False)
        numbered[1].drop(columns="score", errors="ignore").to_csv(tmp_path / comp.test, index=False)
        numbered[1][["id"]].assign(score=0).to_csv(tmp_path / comp.sample_submission, index=False)
        return comp.read(tmp_path)

    return of
