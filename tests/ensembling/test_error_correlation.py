"""Errors of members are correlated as they are made."""

import dataclasses

import numpy as np
import pytest

from fastkaggle_plus import error_correlation

from ..making import make_predictions, make_values


def test_correlations_are_those_of_the_residuals():
    rng = np.random.default_rng(0)
    truth = make_values("truth", noise=0, n=4000)
    shared, *own = rng.normal(size=(3, 4000, 1))
    both = [
        dataclasses.replace(truth, name=f"m{i}", oof=truth.oof + shared + error)
        for i, error in enumerate(own)
    ]
    rows = error_correlation(both)
    assert [row.name for row in rows] == ["m0", "m1"]
    assert rows[0].correlations == pytest.approx({"m0": 1, "m1": 0.5}, abs=0.03)
    assert "errors of" in repr(rows) and "1.00" in repr(rows)


def test_independent_classifiers_have_independent_errors():
    a, b = (make_predictions(f"m{i}", n=4000, seed=i, vocab=("x", "y", "z")) for i in range(2))
    row = error_correlation([a, b])[0].correlations
    assert row["m0"] == pytest.approx(1) and abs(row["m1"]) < 0.05
    assert np.isnan(
        error_correlation([a, dataclasses.replace(b, oof=b.oof * 0)])[1].correlations["m1"]
    )
