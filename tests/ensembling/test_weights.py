"""Fitted weights: the optimum is the best there is, and auto chooses what the metric allows."""

import numpy as np
import pytest

from fastkaggle_plus.ensembling import ensemble
from fastkaggle_plus.ensembling.greedy import greedy_weights
from fastkaggle_plus.ensembling.optimum import optimum_weights
from fastkaggle_plus.ensembling.pool import Pool
from fastkaggle_plus.exceptions import DataError
from fastkaggle_plus.metrics import get_metric

from ..making import make_predictions, make_values

RNG = np.random.default_rng(0)


def noisy_values(n: int = 400, members: int = 4):
    """Return (targets, members' values); member i has an error of deviation i + 1."""
    targs = np.exp(RNG.normal(2, 1, n))
    errors = RNG.normal(size=(members, n)) * np.arange(1, members + 1)[:, None]
    return targs, np.abs(targs + errors)[:, :, None]


def noisy_classes(n: int = 400, members: int = 4, classes: int = 3):
    """Return (class codes, members' probabilities)."""
    targs = RNG.integers(0, classes, n)
    logits = RNG.normal(size=(members, n, classes)) * np.arange(1, members + 1)[:, None, None]
    logits[:, np.arange(n), targs] += 1.5
    e = np.exp(logits)
    return targs, e / e.sum(2, keepdims=True)


def pool_of(name: str, targs, oofs) -> Pool:
    """Return a pool of all rows."""
    return Pool(get_metric(name), targs, list(oofs), np.arange(len(targs)), np.ones(len(oofs)))


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("rmse", noisy_values),
        ("rmsle", noisy_values),
        ("mse", noisy_values),
        ("pearson", noisy_values),
        ("log_loss", noisy_classes),
    ],
)
def test_no_greedy_search_and_no_small_step_beats_the_optimum(name, make):
    (targs, oofs), metric = make(), get_metric(name)
    pool, rows = pool_of(name, targs, oofs), np.arange(len(targs))
    weights = optimum_weights(metric, targs, pool.take(rows))
    assert weights.min() >= 0
    assert weights.sum() == pytest.approx(1)
    best = metric.score(targs, np.tensordot(weights, oofs, 1))
    others = [greedy_weights(pool, rows), np.full(len(oofs), 1 / len(oofs))]
    for member in np.eye(len(oofs)):
        others.append(0.98 * weights + 0.02 * member)
    for other in others:
        score = metric.score(targs, np.tensordot(other, oofs, 1))
        assert metric.gain(best, score) > -1e-6, other


def test_known_weights_are_found():
    targs, _ = noisy_values(20_000, 1)
    oofs = targs + RNG.normal(size=(2, 20_000)) * [[1], [2]]
    oofs = oofs[:, :, None]  # errors with variances 1 and 4: weights 4/5 and 1/5
    found = optimum_weights(get_metric("rmse"), targs, oofs[:, :, 0])
    assert found == pytest.approx([0.8, 0.2], abs=0.02)


def test_auto_says_which_method_it_took():
    values = [make_values(f"m{i}", seed=i, noise=0.2 + i) for i in range(3)]
    assert ensemble(values, method="auto").about["method"] == "optimum"
    classes = [make_predictions(f"m{i}", seed=i, right=0.9 - 0.2 * i) for i in range(3)]
    both = ensemble(classes, method="auto")
    assert both.about["method"] == "optimum"
    assert both.about["nested_score"] == both.oof_score
    assert ensemble(classes[:1], method="auto").about["method"] == "mean"


def test_a_metric_without_an_optimum_is_refused_by_name_and_auto_searches():
    values = [make_values("a", seed=1, noise=0.1), make_values("b", noise=2)]
    values = [m.scored_by(get_metric("median_ae")) for m in values]
    with pytest.raises(DataError, match="convex"):
        ensemble(values, method="optimum")
    assert ensemble(values, method="auto").about["method"] == "greedy"


def test_the_order_of_members_does_not_change_the_optimum():
    members = [make_predictions(f"m{i}", seed=i) for i in range(4)]
    one, other = ensemble(members, method="auto"), ensemble(members[::-1], method="auto")
    assert np.array_equal(one.test, other.test)
