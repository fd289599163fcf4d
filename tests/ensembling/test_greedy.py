"""Greedy search: its fast losses are those of the metrics, and its limits hold."""

import dataclasses

import numpy as np
import pytest

from fastkaggle_plus.ensembling import ensemble
from fastkaggle_plus.ensembling.greedy import Limits, _losses, greedy_weights
from fastkaggle_plus.ensembling.pool import Pool
from fastkaggle_plus.exceptions import DataError
from fastkaggle_plus.metrics import get_metric

from ..making import make_predictions, make_values

COUNTS = np.array([2, 0, 1, 3])


def data_for(name: str, n: int = 501):
    """Return (targets, predictions (4, n, n_outputs)); probabilities are eighths, with ties."""
    rng = np.random.default_rng(0)
    if name in ("log_loss", "auc", "brier"):
        targs = rng.integers(0, 2, n)
        p = np.clip(np.round(8 * (0.3 * targs + rng.random((4, n)) * 0.6)), 1, 7) / 8
        return targs, np.stack([1 - p, p], 2)
    targs = rng.normal(5, 2, n)
    return targs, (targs + rng.normal(0, 1, (4, n)))[:, :, None]


@pytest.mark.parametrize("sign", (1, -1))
@pytest.mark.parametrize(
    "name", ("log_loss", "auc", "brier", "mae", "rmse", "mse", "r2", "pearson")
)
def test_the_fast_losses_rank_members_as_the_metric_does(name, sign):
    targs, oofs = data_for(name)
    metric, rows = get_metric(name), np.arange(len(targs))
    taken = Pool(metric, targs, list(oofs), rows, np.ones(4)).take(rows)
    losses, values = _losses(metric, targs, taken)
    total = np.tensordot(COUNTS.astype(values.dtype), values, 1)
    found = losses(total, 6, sign)
    # eighths of a whole number are exact in floats, if the size of the mix is a power of two
    size = 6 + sign
    mixes = [np.tensordot(COUNTS + sign * one, oofs, 1) / size for one in np.eye(4)]
    scores = np.array([metric.score(targs, np.round(mix, 12)) for mix in mixes])
    wanted = {
        "auc": 1 - scores,
        "rmse": scores**2,
        "mae": scores / targs.std(),
        "r2": (1 - scores) * targs.var(),
        "pearson": -scores,
    }.get(name, scores)
    assert found == pytest.approx(wanted, rel=2e-3 if name == "auc" else 1e-6)
    assert np.argmin(found) == np.argmin(wanted)


def test_equal_predictions_count_half_in_auc():
    targs = np.array([0, 1, 0, 1, 1, 0])
    p = np.array([[0.5, 0.5, 0.5, 0.5, 0.5, 0.5], [0.2, 0.2, 0.4, 0.4, 0.9, 0.1]])
    losses, _ = _losses(get_metric("auc"), targs, p)
    full = [np.stack([1 - one, one], 1) for one in p]
    wanted = [1 - get_metric("auc").score(targs, one) for one in full]
    assert losses(np.zeros(6, np.float32), 0, 1) == pytest.approx(wanted)
    assert losses(np.zeros(6, np.float32), 1, -1) == pytest.approx([0.5, 1 - wanted[1]])


def test_the_search_comes_close_to_the_optimum():
    members = [make_values(f"m{i}", seed=i, noise=0.5 + 0.1 * i, n=1000) for i in range(6)]
    best, greedy = (ensemble(members, method=m) for m in ("optimum", "greedy"))
    coarse = ensemble(members, method="greedy", rounds=3)
    assert greedy.oof_score == pytest.approx(best.oof_score, rel=2e-3)
    assert coarse.oof_score > greedy.oof_score


@pytest.mark.parametrize("method", ("greedy", "optimum", "auto"))
def test_caps_on_members_and_seconds_hold(method):
    members = [
        dataclasses.replace(make_values(f"m{i}", seed=i), seconds_s=float(10 * i + 10))
        for i in range(5)
    ]
    free = ensemble(members, method=method).about["weights"]
    assert sum(w > 0 for w in free.values()) > 3
    few = ensemble(members, method=method, max_members=2)
    assert sum(w > 0 for w in few.about["weights"].values()) == 2
    fast = ensemble(members, method=method, max_seconds=35).about["weights"]
    assert sum(m.seconds_s for m in members if fast[m.name]) <= 35 and max(fast.values()) < 1
    with pytest.raises(DataError, match=r"No member fits max_seconds=5: the fastest took 10\.0 s"):
        ensemble(members, method=method, max_seconds=5)


def test_a_cap_is_refused_where_nothing_is_fitted():
    members = [make_values(f"m{i}", seed=i) for i in range(2)]
    for options, words in (
        (dict(method="mean", max_members=1), "choose members by a greedy search"),
        (dict(method="stack", max_seconds=1), "choose members by a greedy search"),
        (dict(method="optimum", negative=True), 'negative=True is for method="greedy"'),
        (dict(method="greedy", rounds=0), "rounds must be 1 or more"),
        (dict(method="greedy", max_members=0), "max_members must be 1 or more"),
    ):
        with pytest.raises(DataError, match=words):
            ensemble(members, **options)


def test_negative_weights_subtract_an_error_that_two_members_share():
    rng = np.random.default_rng(0)
    good = make_values("good", noise=0.0, n=600)
    shared = rng.normal(0, 1, (600, 1))
    members = [
        dataclasses.replace(good, name="a", oof=good.oof + shared + rng.normal(0, 0.1, (600, 1))),
        dataclasses.replace(good, name="b", oof=good.oof + 2 * shared),
    ]
    plain, free = (ensemble(members, method="greedy", negative=n) for n in (False, True))
    assert free.about["weights"]["b"] < -0.5
    assert sum(free.about["weights"].values()) == pytest.approx(1)
    assert free.oof_score < 0.5 * plain.oof_score


def test_probabilities_stay_probabilities_with_negative_weights():
    members = [make_predictions(f"m{i}", seed=i, right=0.5 + 0.1 * i, n=400) for i in range(4)]
    made = ensemble(members, method="greedy", negative=True)
    for preds in (made.oof, made.test):
        assert preds.min() > 0
        assert preds.sum(1) == pytest.approx(1)


def test_of_equal_members_one_in_the_mix_is_taken():
    targs, oofs = data_for("log_loss")
    same = [oofs[0], oofs[1], oofs[1].copy()]
    pool = Pool(get_metric("log_loss"), targs, same, np.arange(len(targs)), np.ones(3))
    weights = greedy_weights(pool, np.arange(len(targs)), Limits(rounds=30))
    assert weights[1] > 0
    assert weights[2] == 0
