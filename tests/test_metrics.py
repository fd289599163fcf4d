"""Every metric against sklearn, scipy or a value by hand; directions, standard errors, names.

Own metrics, in a competition's metric.py, are tested in test_own_metric.py.
"""

import re
import warnings
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as sk

from fastkaggle_plus.exceptions import ConfigError, DataError, UnknownName
from fastkaggle_plus.metrics import (
    ALIASES,
    METRICS,
    average_precisions,
    dice,
    get_metric,
    iou,
    pseudo_values,
    standard_error,
    weighted_log_loss,
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
LABELS, BIT_LABELS = PROBS.argmax(1), TWO.argmax(1)
LOWER_IS_BETTER = {
    *("error_rate", "log_loss", "balanced_log_loss", "brier", "mae", "mse", "rmse", "rmsle"),
    *("mean_columnwise_rmse", "mape", "smape", "rmspe", "median_ae"),
}


def rows_for(metric):
    """Return (targs, perfect predictions, poor predictions) that suit a metric."""
    if metric.wants == "value":
        return VALUES, VALUES[:, None], GUESSES
    if metric.tasks == ("binary",):
        return BITS, np.eye(2)[BITS], TWO
    return CODES, np.eye(4)[CODES], PROBS


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
        ("auc_ovr", CODES, PROBS, sk.roc_auc_score(CODES, PROBS, multi_class="ovr")),
        ("auc_ovo", CODES, PROBS, sk.roc_auc_score(CODES, PROBS, multi_class="ovo")),
        ("ap", BITS, TWO, sk.average_precision_score(BITS, TWO[:, 1])),
        ("brier", BITS, TWO, sk.brier_score_loss(BITS, TWO[:, 1])),
        ("gini", BITS, TWO, 2 * sk.roc_auc_score(BITS, TWO[:, 1]) - 1),
        ("f1", BITS, TWO, sk.f1_score(BITS, BIT_LABELS)),
        ("f1_micro", CODES, PROBS, sk.f1_score(CODES, LABELS, average="micro")),
        ("f1_weighted", CODES, PROBS, sk.f1_score(CODES, LABELS, average="weighted")),
        ("mcc", BITS, TWO, sk.matthews_corrcoef(BITS, BIT_LABELS)),
        ("mcc", CODES, PROBS, sk.matthews_corrcoef(CODES, LABELS)),
        ("cohen_kappa", CODES, PROBS, sk.cohen_kappa_score(CODES, LABELS)),
        (
            "balanced_log_loss",
            CODES,
            PROBS,
            sk.log_loss(CODES, PROBS, sample_weight=1 / np.bincount(CODES)[CODES]),
        ),
        ("mse", VALUES, GUESSES, sk.mean_squared_error(VALUES, GUESSES)),
        ("mape", VALUES, GUESSES, sk.mean_absolute_percentage_error(VALUES, GUESSES)),
        ("median_ae", VALUES, GUESSES, sk.median_absolute_error(VALUES, GUESSES)),
        ("ndcg@3", CODES, PROBS, sk.ndcg_score(np.eye(4)[CODES], PROBS, k=3)),
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
    targs, good, bad = rows_for(metric)
    assert metric.gain(metric.score(targs, good), metric.score(targs, bad)) > 0
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
        assert get_metric("auc_ovr").score(CODES[seen], PROBS[seen]) == pytest.approx(expected)
        by_pair = get_metric("auc_ovo").score(CODES[seen], PROBS[seen])
        assert 0.8 < by_pair < 1
        assert np.isnan(get_metric("auc_ovo").score(np.zeros(5, dtype=int), PROBS[:5]))
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
    targs, _, preds = rows_for(metric)
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


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("n_groups", [None, 20])
def test_pseudo_values_are_those_of_scores_without_a_unit(name, n_groups):
    metric = get_metric(name)
    targs, _, preds = rows_for(metric)
    targs, preds = targs[:120], np.round(preds[:120], 2)  # with ties
    groups = None if n_groups is None else np.random.default_rng(1).integers(0, n_groups, 120) * 7
    found = pseudo_values(metric, targs, preds, groups)
    if groups is None and (metric.rowwise or metric.leave_out is None):
        assert len(found) == (120 if metric.rowwise else 100)
        return
    units = np.arange(120) if groups is None else groups
    whole, n_units = metric.score(targs, preds), len(np.unique(units))
    without = [metric.score(targs[units != u], preds[units != u]) for u in np.unique(units)]
    expected = n_units * whole - (n_units - 1) * np.array(without)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", ["rmse", "r2", "rmspe", "mean_columnwise_rmse"])
def test_pseudo_values_of_several_targets(name):
    metric, targs = get_metric(name), np.random.default_rng(0).normal(3, 1, (40, 3))
    targs[5, 1] = 0
    preds = targs + np.random.default_rng(1).normal(0, 0.5, (40, 3))
    without = [metric.score(np.delete(targs, i, 0), np.delete(preds, i, 0)) for i in range(40)]
    expected = 40 * metric.score(targs, preds) - 39 * np.array(without)
    np.testing.assert_allclose(pseudo_values(metric, targs, preds), expected, rtol=1e-6)


def test_a_score_that_needs_a_row_has_no_standard_error():
    """Without the only positive row there is no AUC."""
    probs = np.array([[0.8, 0.2], [0.4, 0.6], [0.7, 0.3], [0.1, 0.9]])
    assert np.isnan(score_se(get_metric("auc"), np.array([0, 0, 0, 1]), probs))
    assert np.isnan(score_se(get_metric("accuracy"), np.array([0]), np.array([[1.0, 0.0]])))


def test_many_groups_of_a_slow_metric_are_merged():
    groups = np.arange(300) // 2
    assert len(pseudo_values(get_metric("spearman"), VALUES, GUESSES, groups)) == 100
    assert len(pseudo_values(get_metric("pearson"), VALUES, GUESSES, groups)) == 150


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


def score(name, targs, preds):
    return get_metric(name).score(np.asarray(targs), np.asarray(preds, dtype=float))


def test_f1_is_that_of_the_positive_class():
    """One of 2 positives is found, with 1 false alarm: 2 * 1 / (2 + 1 + 1); macro adds class 0."""
    targs, preds = [1, 1, 0, 0, 0], np.eye(2)[[1, 0, 1, 0, 0]]
    assert score("f1", targs, preds) == 0.5
    assert score("f1_macro", targs, preds) == pytest.approx((0.5 + 2 / 3) / 2)
    assert score("f1", [0, 0], np.eye(2)[[0, 0]]) == 0  # no positive row, none predicted
    assert score("mcc", [0, 1], np.eye(2)[[0, 0]]) == 0


def test_percentages_of_a_target_of_zero():
    assert score("mape", [10, 20], [[11], [18]]) == pytest.approx(0.1)
    with pytest.raises(DataError, match=r"1 of 2 rows have a target of 0.*smape or mae"):
        score("mape", [0, 20], [[1], [18]])
    # as on Kaggle: 200 |y - p| / (|y| + |p|), and 0 where both are 0
    assert score("smape", [0, 0, 3], [[0], [5], [1]]) == pytest.approx((0 + 200 + 100) / 3)
    assert score("rmspe", [0, 10, 10], [[7], [11], [8]]) == pytest.approx(np.sqrt(0.025))
    with pytest.raises(DataError, match="all of them are 0"):
        score("rmspe", [0, 0], [[1], [1]])


def test_average_precision_and_gini_by_hand():
    # positives at ranks 1 and 3: (1/1 + 2/3) / 2
    preds = [[0.1, 0.9], [0.3, 0.7], [0.5, 0.5], [0.8, 0.2]]
    assert score("ap", [1, 0, 1, 0], preds) == pytest.approx(5 / 6)
    assert score("ap", [0, 0, 0, 0], preds) == 0
    # sums of the shares: 3/6 + 5/6 + 1 for the truth, 1/6 + 4/6 + 1 for the answers, minus 2
    assert score("gini_values", [3, 1, 2], [[2], [3], [1]]) == pytest.approx((-1 / 6) / (1 / 3))
    assert score("gini_values", [3, 1, 2], [[5], [5], [5]]) == pytest.approx(0)
    assert score("gini_values", BITS, TWO[:, 1]) == pytest.approx(score("gini", BITS, TWO))
    with pytest.raises(DataError, match="positive sum"):
        score("gini_values", [-1, 0], [[1], [2]])


def test_class_weights_of_a_log_loss():
    weights = [1.0, 2.0, 0.0, 5.0]
    expected = sk.log_loss(CODES, PROBS, sample_weight=np.take(weights, CODES), labels=range(4))
    assert weighted_log_loss(CODES, PROBS, class_weights=weights) == pytest.approx(expected)
    two = weighted_log_loss(BITS, TWO[:, 1], class_weights=[1, 3])
    assert two == pytest.approx(sk.log_loss(BITS, TWO, sample_weight=1 + 2 * BITS))
    with pytest.raises(DataError, match="positive sum"):
        weighted_log_loss(BITS, TWO, class_weights=[0, -1])


def test_rankings_with_several_true_labels():
    """Right at ranks 1 and 3 of 3: (1/1 + 2/3) / 2 for two true labels, / 3 for three."""
    answers = [["a", "x", "b"], ["a", "x", "b"], ["x", "b", "b"]]
    truth = [{"a", "b"}, ["a", "b", "c", "d"], "b"]
    rows = average_precisions(truth, answers, 3)
    assert rows.tolist() == pytest.approx([5 / 6, 5 / 9, 1 / 2])  # a repeated answer counts once
    relevance, order = np.array([[1, 0, 1, 0]]), np.array([[4.0, 3, 2, 1]])
    expected = sk.ndcg_score(relevance, order, k=3)
    assert get_metric("ndcg@3").compare([[0, 2]], [[0, 1, 2]]) == pytest.approx(expected)


def test_overlap_of_masks():
    truth, mask = np.array([[1, 1], [0, 0]]), np.array([[1, 0], [1, 0]])
    assert iou(truth, mask) == 1 / 3 and dice(truth, mask) == 1 / 2
    empty = np.zeros((2, 2))
    assert (
        iou(empty, empty) == dice(empty, empty) == 1 and iou(empty, mask) == dice(empty, mask) == 0
    )


@pytest.mark.parametrize(
    ("name", "task", "words"),
    [
        ("f1", "multiclass", "is for binary.*use one of: f1_macro, f1_micro, f1_weighted"),
        ("f1", "regression", 'does not fit task = "regression".*one of:.*quadratic_kappa.*mae'),
        ("auc", "multiclass", "use one of: auc_ovr, auc_ovo"),
        ("auc_ovr", "binary", "is for multiclass.*log_loss.*auc"),
        ("gini", "regression", "use one of: gini_values"),
        ("map", "", "several meanings.*map@3, map@5, mape, ap"),
        ("map@k", "", "several meanings. Use one of: map@3, map@5, map@10"),
        ("kappa", "", "cohen_kappa, quadratic_kappa"),
        ("error", "", "error_rate, mae, rmse"),
        ("metric.py", "", r"only a competition with that file .*Vault\(.*preds\.scored_by"),
        ("../metric.py", "", "is a file: only a competition with that file in its folder"),
        ("data.py", "", "is a file"),
    ],
)
def test_a_word_with_several_meanings_and_a_wrong_task_are_refused_with_the_choices(
    name, task, words
):
    with pytest.raises(ConfigError, match=words):
        get_metric(name, task=task)


def test_every_metric_has_a_definition():
    for metric in METRICS.values():
        function = metric.rowwise or metric.compare
        function = getattr(function, "keywords", {}).get("score", function)  # of sums
        assert getattr(function, "func", function).__doc__, metric.name


def test_the_page_of_metrics_lists_every_name():
    page = Path(__file__).resolve().parents[1] / "docs/metrics.md"
    table = page.read_text(encoding="utf-8").partition("Other names")[0]
    listed = {name for row in table.splitlines() for name in re.findall("`([^`]+)`", row[:60])}
    known = {re.sub(r"@\d+", "@k", name) for name in METRICS}
    assert known <= listed, known - listed
