"""Trials are plain data: they survive JSON, and their hash changes with the result."""

import dataclasses
import json

import pytest
from sklearn.linear_model import Ridge

from fastkaggle_plus import make_folds
from fastkaggle_plus.exceptions import ConfigError
from fastkaggle_plus.sweeps import Sweep, Trial

FOREST = Trial("forest", "forest.forest_model", {"n_estimators": 40}, hypothesis="trees first")


def test_a_sweep_survives_json():
    sweep = Sweep(
        "titanic", (FOREST, Trial("net", "tabular.tabular_model", {"layers": [10, 10]})), n_folds=3
    )
    read = json.loads(sweep.to_json())
    assert Sweep(**{**read, "trials": tuple(Trial(**row) for row in read["trials"])}) == sweep


def test_the_hash_depends_on_model_and_params_only():
    same = dataclasses.replace(FOREST, name="other", hypothesis="")
    other_params = dataclasses.replace(FOREST, params={"n_estimators": 41})
    other_model = dataclasses.replace(FOREST, model="forest.tree_model")
    assert same.fingerprint() == FOREST.fingerprint()
    assert len({t.fingerprint() for t in (FOREST, other_params, other_model)}) == 3


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: Trial("t", "a forest"), "the name of a model"),
        (lambda: Trial("t", make_folds), "as text.*Write 'make_folds'"),
        (lambda: Trial("t", Ridge), "Write 'sklearn.linear_model.Ridge'"),
        (lambda: Trial("t", "a.b", {"loss": lambda x: x}), "plain data"),
        (lambda: Sweep("s", (FOREST, FOREST)), "called 'forest'"),
        (lambda: Sweep("s", (FOREST,), holdout=1.0), "between 0.01 and 0.9, got 1.0"),
    ],
)
def test_invalid_trials_and_sweeps_are_refused(make, words):
    with pytest.raises(ConfigError, match=words):
        make()
