"""Stacking and auto: what is fitted is scored on rows that did not fit it."""

import dataclasses

import numpy as np
import pytest

from fastkaggle_plus.ensembling import ensemble

from ..making import make_predictions, make_values


def test_a_stack_of_values_corrects_a_bias_that_no_mean_can():
    members = [make_values(f"m{i}", seed=i) for i in range(3)]
    biased = [dataclasses.replace(m, oof=3 * m.oof - 4, test=3 * m.test - 4) for m in members]
    made, mean = (ensemble(biased, method=m) for m in ("stack", "mean"))
    assert made.oof_score < 0.4 < 5 < mean.oof_score
    assert made.test.std() == pytest.approx(np.mean([m.test for m in members], 0).std(), rel=0.2)
    assert sum(made.about["weights"].values()) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("vocab", ((0, 1), ("ant", "bee", "cat")))
def test_a_stack_of_classes_gives_probabilities(vocab):
    members = [
        make_predictions(f"m{i}", n=600, seed=i, vocab=vocab, metric="log_loss", right=right)
        for i, right in enumerate((0.95, 0.6, 0.6))
    ]
    made = ensemble(members, method="stack")
    assert made.oof_score < min(m.oof_score for m in members) - 0.05
    assert made.oof.sum(1) == pytest.approx(1)
    assert made.test.shape == (20, len(vocab))
    weights = made.about["weights"]
    assert max(weights, key=weights.get) == "m0"


@pytest.mark.parametrize("method", ("stack", "auto"))
def test_noise_has_an_honest_score(method):
    noise = [
        make_predictions(f"n{i}", right=0.5, n=300, seed=i, metric="log_loss") for i in range(30)
    ]
    assert ensemble(noise, method=method).oof_score > 0.68  # that of a coin is 0.693


def test_auto_takes_the_mean_where_fitted_weights_are_clearly_worse():
    equal = [make_values(f"m{i}", seed=i, n=40) for i in range(25)]
    made = ensemble(equal, method="auto")
    assert made.about["method"] == "mean"
    assert set(made.about["weights"].values()) == {0.04}
    tried = made.about["tried"]
    assert tried["metric"] == "rmse" and tried["mean"] == made.oof_score < tried["optimum"]
    few = ensemble(equal[:12], method="auto").about
    assert few["method"] == "optimum" and few["tried"]["mean"] < few["tried"]["optimum"]
    uneven = [*equal, make_values("good", noise=0.05, n=40, seed=99)]
    made = ensemble(uneven, method="auto")
    assert made.about["method"] == "optimum" and made.about["weights"]["good"] > 0.8
    assert made.about["tried"]["optimum"] == made.oof_score
