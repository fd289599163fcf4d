"""Paired tests give the numbers of the textbook."""

import dataclasses
import re

import numpy as np
import pytest
from scipy import stats

from fastkaggle_plus.evidence import compare
from fastkaggle_plus.exceptions import DataError

from ..making import make_predictions, make_values


def with_hits(name, hits):
    base = make_predictions(name, n=len(hits))
    guess = np.where(hits, base.targs, 1 - base.targs)
    return dataclasses.replace(base, oof=np.eye(2)[guess] * 0.8 + 0.1)


def pair(wins, losses, both=100):
    a = np.r_[np.ones(both + wins), np.zeros(losses)].astype(bool)
    b = np.r_[np.ones(both), np.zeros(wins), np.ones(losses)].astype(bool)
    return compare(with_hits("a", a), with_hits("b", b))


@pytest.mark.parametrize(
    "wins, losses, p", [(7, 0, 0.015625), (20, 27, 0.3817), (5, 5, 1.0), (0, 0, 1.0)]
)
def test_mcnemar_is_exact(wins, losses, p):
    result = pair(wins, losses)
    assert result.p_value == pytest.approx(p, abs=1e-4) and result.test == "exact McNemar"
    assert (result.wins, result.losses) == (wins, losses)
    assert result.gain == pytest.approx((wins - losses) / result.n_rows)


def test_a_comparison_prints_its_verdict():
    for wins, losses, better in ((30, 5, "a"), (5, 30, "b")):
        said = str(pair(wins, losses))
        assert f" for {better}, p = " in said and said.endswith(": more than noise")
    shown = "a 0.926 vs b 0.901 (accuracy, higher is better): +0.025 for a, p = 0.66: noise"
    assert str(pair(12, 9)) == f"{shown}, needs about 18 times as many rows"
    assert str(pair(4, 4)).endswith("no difference, p = 1: noise, more rows would not help")
    low, high = make_values("low", noise=0.50), make_values("high", noise=0.51)
    small = str(compare(high, low))  # enough decimals to see the gain
    assert re.match(
        r"high \d\.\d{3} vs low \d\.\d{3} \(rmse, lower is better\): \+0\.0\d\d for low", small
    )
    close = make_values("close", noise=0.5001)
    assert re.search(r"rmse, lower is better\): \+0\.000\d\d for low", str(compare(close, low)))


def test_rows_factor_is_the_power_calculation():
    result = pair(12, 9)
    expected = ((1.95996 + 0.84162) * result.se / result.gain) ** 2
    assert result.rows_factor == pytest.approx(expected, rel=1e-4)


def test_a_mean_over_rows_is_compared_by_a_paired_t():
    a = make_values("a", noise=0.5, metric="mae")
    b = make_values("b", noise=0.6, seed=1, metric="mae")
    result = compare(a, b)
    expected = stats.ttest_rel(np.abs(a.oof[:, 0] - a.targs), np.abs(b.oof[:, 0] - b.targs)).pvalue
    assert result.p_value == pytest.approx(expected)
    assert result.test == "paired t" and result.gain > 0


def test_a_score_of_all_rows_is_compared_by_jackknife():
    good, bad = make_values("good", noise=0.4), make_values("bad", noise=0.8, seed=1)
    twin = make_values("twin", noise=0.4, seed=2)
    assert compare(good, bad).p_value < 0.01
    assert compare(good, bad).gain > 0 > compare(bad, good).gain
    assert compare(good, twin).is_noise and compare(good, good).p_value == 1


def test_jackknife_agrees_with_a_bootstrap():
    good, bad = make_values("good", noise=0.4, n=400), make_values("bad", noise=0.5, seed=1, n=400)
    rng, gains = np.random.default_rng(0), []
    for _ in range(2000):
        i = rng.integers(0, 400, 400)
        gains.append(
            np.sqrt(np.mean((bad.oof[i, 0] - bad.targs[i]) ** 2))
            - np.sqrt(np.mean((good.oof[i, 0] - good.targs[i]) ** 2))
        )
    assert compare(good, bad).se == pytest.approx(np.std(gains), rel=0.15)


def test_equal_models_differ_significantly_in_few_comparisons_only():
    twins = [make_values(f"t{i}", metric="spearman", seed=i) for i in range(40)]
    found = [not compare(a, b).is_noise for a, b in zip(twins[::2], twins[1::2], strict=True)]
    assert sum(found) <= 4  # 5% of 20 is 1


def test_rows_are_joined_by_id():
    a, b = make_predictions("a"), make_predictions("b", seed=1)
    order = np.random.default_rng(0).permutation(200)
    shuffled = dataclasses.replace(
        b, ids=b.ids[order], targs=b.targs[order], oof=b.oof[order], folds=b.folds[order]
    )
    assert compare(a, shuffled) == compare(a, b)


def test_predictions_of_other_metrics_or_rows_are_refused():
    with pytest.raises(DataError, match="one metric"):
        compare(make_predictions("a"), make_predictions("b", metric="log_loss"))
    with pytest.raises(DataError, match="other rows"):
        compare(make_predictions("a"), make_predictions("b", n=50))
