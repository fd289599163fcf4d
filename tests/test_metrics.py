"""Every metric against sklearn, scipy or a value by hand; directions, standard errors, names."""

import warnings

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as sk

from fastkaggle_plus.exceptions import DataError, UnknownName
from fastkaggle_plus.metrics import (
    ALIASES,
    METRICS,
    average_precisions,
    get_metric,
    pseudo_values,
    standard_error,
)

RNG = np.random.default_rng(7)
CODES = RNG.integers(0, 4, 300)
PROBS = RNG.dirichlet(np.ones(4), 300)
PROBS[np.arange(300), CODES] += 0.5
PROBS /= PROBS.sum(1, keepdims=True)
BITS = (CODES > 1).astype(int)
TWO = np.column_stack([PROBS[:, :2].sum(1), PROBS[:, 2:].sum(1)])
VALUES = RNG.gamma(2, 3, 300)
GUESSES = (VALUES + RNG.normal(0, 2, 300))[:, None]
LOWER_IS_BETTER = {"error_rate", "log_loss", "mae", "rmse", "rmsle", "mean_columnwise_rmse"}


@pytest.mark.parametrize(
    ("name", "targs", "preds", "expected"),
    [
        ("accuracy", CODES, PROBS, sk.accuracy_score(CODES, PROBS.argmax(1))),
        ("error_rate", CODES, PROBS, 1 - sk.accuracy_score(CODES, PROBS.argmax(1))),
        ("balanced_accuracy", CODES, PROBS, sk.balanced_accuracy_score(CODES, PROBS.argmax(1))),
        ("f1_macro", CODES, PROBS, sk.f1_score(CODES, PROBS.argmax(1), average="macro")),
        (
            "quadratic_kappa",
            CODES,
            PROBS,
            sk.cohen_kappa_score(CODES, PROBS.argmax(1), weights="quadratic"),
        ),
        ("auc", BITS, TWO, sk.roc_auc_score(BITS, TWO[:, 1])),
        ("auc", CODES, PROBS, sk.roc_auc_score(CODES, PROBS, multi_class="ovr")),
        ("log_loss", BITS, TWO, sk.log_loss(BITS, TWO)),
        ("log_loss", CODES, PROBS, sk.log_loss(CODES, PROBS)),
        ("mae", VALUES, GUESSES, sk.mean_absolute_error(VALUES, GUESSES)),
        ("rmse", VALUES, GUESSES, np.sqrt(sk.mean_squared_error(VALUES, GUESSES))),
        (
            "rmsle",
            VALUES,
            GUESSES.clip(0),
            np.sqrt(sk.mean_squared_log_error(VALUES, GUESSES.clip(0))),
        ),
        ("r2", VALUES, GUESSES, sk.r2_score(VALUES, GUESSES)),
        ("pearson", VALUES, GUESSES, stats.pearsonr(VALUES, GUESSES[:, 0])[0]),
        ("spearman", VALUES, GUESSES, stats.spearmanr(VALUES, GUESSES[:, 0])[0]),
        (
            "map@3",
            CODES,
            PROBS,
            sum(
                sk.top_k_accuracy_score(CODES, PROBS, k=k) * w
                for k, w in ((1, 1 / 2), (2, 1 / 6), (3, 1 / 3))
            ),
        ),
    ],
)
def test_scores_equal_the_reference(name, targs, preds, expected):
    assert get_metric(name).score(targs, preds) == pytest.approx(expected)


@pytest.mark.parametrize("name", METRICS)
def test_direction_agrees_with_better_predictions(name):
    metric = get_metric(name)
    assert metric.higher_is_better == (name not in LOWER_IS_BETTER)
    if metric.wants == "value":
        targs, good, bad = VALUES, VALUES[:, None] + 0.1, GUESSES
    else:
        targs, good, bad = (
            (BITS, np.eye(2)[BITS], TWO) if name == "auc" else (CODES, np.eye(4)[CODES], PROBS)
        )
    assert metric.gain(metric.score(targs, good), metric.score(targs, bad)) >= 0
    assert metric.gain(2.0, 1.0) == (1 if metric.higher_is_better else -1)


def test_hand_worked_values():
    assert get_metric("rmsle").score(
        np.array([0.0, np.e - 1]), np.array([[np.e - 1], [np.e - 1]])
    ) == pytest.approx(np.sqrt(0.5))
    assert get_metric("mae").score(np.array([1.0, 5.0]), np.array([[2.0], [2.0]])) == 2.0
    assert (
        get_metric("mean_columnwise_rmse").score(
            np.zeros((2, 2)), np.array([[3.0, 1.0], [3.0, 1.0]])
        )
        == 2.0
    )
    assert get_metric("log_loss").score(np.array([1]), np.array([[0.5, 0.5]])) == pytest.approx(
        np.log(2)
    )
    assert average_precisions(
        ["a", "b", "c"], [["a", "x"], ["x", "b"], ["x", "y", "z", "c"]], 3
    ).tolist() == [1.0, 0.5, 0.0]
    assert get_metric("map@3").score(
        np.array([2, 0]), np.array([[0.1, 0.3, 0.6, 0], [0.2, 0.5, 0.2, 0.1]])
    ) == pytest.approx(0.75)


def test_answers_of_a_csv_can_be_compared():
    assert (
        get_metric("accuracy").compare(
            np.array(["cat", "dog"], dtype=object), np.array(["cat", "cat"], dtype=object)
        )
        == 0.5
    )
    assert get_metric("auc").compare(np.array([0, 1, 1]), np.array([0.2, 0.9, 0.1])) == 0.5
    assert get_metric("log_loss").compare(np.array([0, 1]), np.array([0.5, 0.5])) == pytest.approx(
        np.log(2)
    )
    assert get_metric("map@5").compare(["a"], [["b", "a"]]) == 0.5


def test_kappa_keeps_the_place_of_a_missing_grade():
    truth, grades = (
        np.array([0.0, 0.0, 4.0, 4.0, 1.0]),
        np.array([[0.2], [1.4], [4.1], [2.6], [0.9]]),
    )
    expected = sk.cohen_kappa_score(
        [0, 0, 4, 4, 1], [0, 1, 4, 3, 1], weights="quadratic", labels=range(5)
    )
    assert get_metric("quadratic_kappa").score(truth, grades) == pytest.approx(expected)
    assert expected != pytest.approx(
        sk.cohen_kappa_score([0, 0, 4, 4, 1], [0, 1, 4, 3, 1], weights="quadratic")
    )
    assert get_metric("quadratic_kappa").score(np.ones(3), np.ones((3, 1))) == 1.0


def test_auc_of_present_classes_and_nan_for_a_single_one():
    seen = CODES != 3
    expected = np.mean([sk.roc_auc_score(CODES[seen] == c, PROBS[seen, c]) for c in range(3)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert get_metric("auc").score(CODES[seen], PROBS[seen]) == pytest.approx(expected)
        assert np.isnan(get_metric("auc").score(np.zeros(5, dtype=int), TWO[:5]))


def test_log_loss_rescales_rows_and_is_finite():
    assert get_metric("log_loss").score(
        np.array([0]), np.array([[2.0, 1.0, 1.0]])
    ) == pytest.approx(np.log(2))
    assert 30 < get_metric("log_loss").score(np.array([0]), np.array([[0.0, 1.0]])) < 40


def test_correlation_of_a_constant_is_zero():
    assert get_metric("pearson").score(VALUES, np.ones((300, 1))) == 0.0
    assert get_metric("spearman").score(VALUES, np.ones((300, 1))) == 0.0


def test_rmsle_refuses_negative_targets_and_lifts_negative_predictions():
    with pytest.raises(DataError, match=r"smallest is -1"):
        get_metric("rmsle").score(np.array([-1.0, 2.0]), np.array([[1.0], [1.0]]))
    assert get_metric("rmsle").score(np.array([0.0]), np.array([[-5.0]])) == 0.0


@pytest.mark.parametrize("name", [m for m in METRICS if METRICS[m].rowwise])
def test_per_row_scores_average_to_the_score(name):
    metric = get_metric(name)
    targs, preds = (VALUES, GUESSES) if metric.wants == "value" else (CODES, PROBS)
    rows = metric.per_row(targs, preds)
    assert rows.shape == (300,)
    assert rows.mean() == pytest.approx(metric.score(targs, preds))
    assert score_se(metric, targs, preds) == pytest.approx(rows.std(ddof=1) / np.sqrt(300))


def score_se(metric, targs, preds):
    return standard_error(pseudo_values(metric, targs, preds))


def test_jackknife_error_agrees_with_the_formula_of_pearson():
    se = score_se(get_metric("pearson"), VALUES, GUESSES)
    assert get_metric("pearson").per_row(VALUES, GUESSES) is None
    r = get_metric("pearson").score(VALUES, GUESSES)
    assert 0.4 < se / ((1 - r**2) / np.sqrt(299)) < 2.5
    assert se == score_se(get_metric("pearson"), VALUES, GUESSES)  # the same seed


def test_jackknife_leaves_out_groups_without_which_there_is_one_class():
    assert (
        0
        <= score_se(
            get_metric("auc"),
            np.array([0, 0, 0, 1]),
            np.array([[0.8, 0.2], [0.4, 0.6], [0.7, 0.3], [0.1, 0.9]]),
        )
        < 1
    )
    assert np.isnan(score_se(get_metric("accuracy"), np.array([0]), np.array([[1.0, 0.0]])))


def test_label_metric_rounds_a_single_value():
    assert get_metric("accuracy").answers(np.array([[1.6], [-0.2]])).tolist() == [2, 0]
    assert get_metric("accuracy").score(np.array([2.0, 0.5]), np.array([1.6, 0.4])) == 0.5


def test_names():
    assert get_metric("map@7").k == 7
    assert get_metric("map@3") is METRICS["map@3"]
    for alias, name in ALIASES.items():
        assert get_metric(alias).name == name
    for wrong, near in (
        ("acuracy", "accuracy"),
        ("RMSE", "rmse"),
        ("logloss_", "log_loss"),
        ("map@0", "map@10"),
    ):
        with pytest.raises(UnknownName, match=f"Did you mean.*'{near}'"):
            get_metric(wrong)
    with pytest.raises(UnknownName, match="Known: accuracy"):
        get_metric(None)
