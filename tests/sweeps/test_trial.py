"""Trials are plain data: they survive JSON, and their hash changes with what changes the result."""

import dataclasses

import pytest

from fastkaggle_plus.exceptions import ConfigError
from fastkaggle_plus.sweeps import Sweep, Trial
from fastkaggle_plus.sweeps.trial import sweep_from_json

FOREST = Trial("forest", "forest.forest_model", {"n_estimators": 40}, hypothesis="trees first")


def test_a_sweep_survives_json():
    sweep = Sweep(
        "titanic", (FOREST, Trial("net", "tabular.tabular_model", {"layers": [10, 10]})), n_folds=3
    )
    assert sweep_from_json(sweep.to_json()) == sweep


def test_the_hash_is_of_what_changes_the_result():
    assert (
        FOREST.fingerprint()
        == dataclasses.replace(FOREST, name="other", hypothesis="").fingerprint()
    )
    assert (
        FOREST.fingerprint()
        != dataclasses.replace(FOREST, params={"n_estimators": 41}).fingerprint()
    )
    assert (
        FOREST.fingerprint() != dataclasses.replace(FOREST, model="forest.tree_model").fingerprint()
    )


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: Trial("t", "forest"), "file.function"),
        (lambda: Trial("t", "os.path.join"), "file.function"),
        (lambda: Trial("t", "a.b", {"loss": lambda x: x}), "plain data"),
        (lambda: Sweep("s", (FOREST, FOREST)), "called 'forest'"),
    ],
)
def test_what_is_not_plain_data_is_refused(make, words):
    with pytest.raises(ConfigError, match=words):
        make()
