"""Paired tests give the numbers of the textbook."""

import dataclasses
import re

import numpy as np
import pytest
from scipy import stats

from fastkaggle_plus.evidence import compare
from fastkaggle_plus.exceptions import DataError

from ..benchmarks.calibration_parts.fits import World, power, verdicts
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
    "wins, losses, p", [(7, 0, 0.0078125), (20, 27, 0.3123), (5, 5, 1.0), (0, 0, 1.0)]
)
def test_mcnemar_is_mid_p(wins, losses, p):
    """Half the weight of the observed outcome, so half of 0.015625 for 7 to 0."""
    result = pair(wins, losses)
    assert result.p_value == pytest.approx(p, abs=1e-4) and result.test == "mid-p McNemar"
    assert (result.wins, result.losses) == (wins, losses)
    assert result.gain == pytest.approx((wins - losses) / result.n_rows)


def test_a_comparison_prints_its_verdict():
    for wins, losses, better in ((30, 5, "a"), (5, 30, "b")):
        result = pair(wins, losses)
        said = str(result)
        assert f" for {better}, p = " in said and said.endswith(f"these fits: {better} is better")
        assert result.verdict == ("better" if better == "a" else "worse")
    shown = (
        "a 0.926 vs b 0.901 (accuracy, higher is better): +0.025 for a, p = 0.52 (mid-p McNemar)"
    )
    assert str(pair(12, 9)) == f"{shown}. Of these fits: cannot be told apart"
    assert "no difference, p = 1 (mid-p" in str(pair(4, 4))
    assert "cannot be told apart (of these fits)" in repr(pair(4, 4))
    low, high = make_values("low", noise=0.50), make_values("high", noise=0.51)
    small = str(compare(high, low))  # enough decimals to see the gain
    assert re.match(
        r"high \d\.\d{3} vs low \d\.\d{3} \(rmse, lower is better\): \+0\.0\d\d for low", small
    )
    close = make_values("close", noise=0.5001)
    assert re.search(r"rmse, lower is better\): \+0\.000\d\d for low", str(compare(close, low)))


def scored(name, answers, truth, metric="auc", groups=None):
    n = len(truth)
    base = make_predictions(name, n=n, metric=metric)
    oof = np.column_stack([1 - answers, answers])
    return dataclasses.replace(base, targs=truth, oof=oof, groups=groups)


def test_the_test_of_two_aucs_is_that_of_delong():
    """Against the formula: the variance of the placements of positive and negative rows."""
    rng = np.random.default_rng(3)
    truth = (rng.random(400) < 0.3).astype(int)
    a, b = (np.round(1 / (1 + np.exp(-truth - rng.normal(size=400))), 2) for _ in "ab")
    found = compare(scored("a", a, truth), scored("b", b, truth))
    placements = []
    for answers in (a, b):
        pairs = np.sign(answers[truth == 1][:, None] - answers[truth == 0]) / 2 + 0.5
        placements.append((pairs.mean(1), pairs.mean(0)))
    (a_positive, a_negative), (b_positive, b_negative) = placements
    positive, negative = a_positive - b_positive, a_negative - b_negative
    variance = positive.var(ddof=1) / len(positive) + negative.var(ddof=1) / len(negative)
    assert found.test == "DeLong" and found.gain == pytest.approx(positive.mean())
    assert found.se == pytest.approx(np.sqrt(variance), rel=0.01)
    assert found.p_value == pytest.approx(
        2 * stats.norm.sf(abs(found.gain) / variance**0.5), rel=0.03
    )


def test_without_ten_rows_of_a_class_there_is_no_test():
    rng, truth = np.random.default_rng(0), np.zeros(50, dtype=int)
    truth[:9] = 1
    good, bad = truth * 0.8 + 0.1, rng.random(50)
    found = compare(scored("good", good, truth), scored("bad", bad, truth))
    assert found.is_noise and found.gain > 0.3 and found.p_value == 1
    assert "no test: 9 rows of the rarer class, at least 10 are needed" in str(found)
    truth[9] = 1
    assert compare(scored("good", truth * 0.8 + 0.1, truth), scored("bad", bad, truth)).gain > 0.3
    of_groups = dict(groups=np.arange(50) // 5)  # the ten positive rows are in two groups
    grouped = [scored(n, p, truth, **of_groups) for n, p in (("good", good), ("bad", bad))]
    assert "no test: 2 groups with rows of the rarer class" in str(compare(*grouped))
    alone = scored("a", good, np.eye(50, dtype=int)[0]), scored("b", bad, np.eye(50, dtype=int)[0])
    assert compare(*alone).is_noise and np.isnan(compare(*alone).se)


@pytest.mark.parametrize("metric", ["rmse", "mae"])
def test_rows_of_a_group_count_once(metric):
    """Twenty copies of each row are no more evidence than one."""
    a, b = (make_values(n, metric=metric, seed=i, n=60) for i, n in enumerate("ab"))
    copied = np.repeat(np.arange(60), 20)

    def copies(preds):
        rows = dict(ids=np.arange(1200), folds=copied % 5, groups=copied)
        return dataclasses.replace(preds, targs=preds.targs[copied], oof=preds.oof[copied], **rows)

    one, many = compare(a, b), compare(copies(a), copies(b))
    assert many.n_rows == 1200 and many.n_units == 60 and many.test == "paired t of 60 groups"
    assert many.se == pytest.approx(one.se) and many.p_value == pytest.approx(one.p_value, rel=0.1)
    assert "1200 in 60 groups" in repr(many)
    blind = [dataclasses.replace(copies(p), groups=None) for p in (a, b)]
    assert compare(*blind).se < one.se / 3
    # trials of older vaults do not know their groups
    assert compare(copies(a), blind[1]).se == pytest.approx(one.se)
    assert compare(blind[0], copies(b)).se == pytest.approx(one.se)


def test_a_few_large_groups_are_few_degrees_of_freedom():
    """Two of thirty groups have nearly all rows."""
    groups = np.concatenate([np.zeros(500), np.ones(500), np.arange(2, 30)]).astype(int)
    a, b = (make_values(n, metric="mae", seed=i, n=1028) for i, n in enumerate("ab"))
    a, b = (dataclasses.replace(p, groups=groups) for p in (a, b))
    found = compare(a, b)
    assert found.p_value > 2 * stats.t.sf(abs(found.gain) / found.se, 10)


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


@pytest.mark.parametrize(
    "world",
    [
        World("accuracy", 100),
        World("auc", 200, rare=0.08),
        World("f1_macro", 100),
        World("rmse", 50),
        World("pearson", 2_000, n_groups=40, icc=0.5),
        World("auc", 600, n_groups=40, icc=0.5),
        World("rmse", 600, n_groups=40, icc=0.3, uneven=True),
        World("rmse", 600, phi=0.7),
    ],
    ids=str,
)
def test_equal_models_are_rarely_called_different(world):
    """5% of 150 is 7.5. tests/benchmarks/calibration.py measures the rates."""
    claims, _, _ = verdicts(world, 150, np.random.default_rng(1))
    assert claims <= 16


def test_a_difference_is_found_as_by_a_test_that_knows_the_error():
    found = power(World("auc", 200), 60, np.random.default_rng(2))
    ours, best = (
        float(str(found[k]).split("%")[0]) for k in ("power", "of a z-test with the true SE")
    )
    assert best > 70 and ours > 0.75 * best


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
