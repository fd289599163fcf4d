"""The gap between CV and leaderboard: quiet where nothing shifted, loud where something did."""

from dataclasses import replace

import numpy as np
import pytest

from fastkaggle_plus.evidence.gap import Rows, Scores, check_gap, noise_covariance
from fastkaggle_plus.evidence.private_score import forecast
from fastkaggle_plus.exceptions import ConfigError

from ..benchmarks.simulated import before_the_end, competition


def titanic(cv=0.855, public=0.770):
    """The course's competition: 891 rows, a model that is right on 85.5% of them."""
    values = (np.arange(891) < cv * 891).astype(float)
    se = values.std(ddof=1) / np.sqrt(len(values))
    return Scores("forest", cv, se, public, values=values, units="same", ref=1)


def test_titanics_real_test_rows_are_called_a_shift():
    gap = check_gap([titanic()], Rows(891, 418, 418))
    assert not gap.is_as_expected and gap.p_value < 0.005
    assert "look for shift" in str(gap) and "F test" in str(gap)
    assert check_gap([titanic(public=0.84)], Rows(891, 418, 418)).is_as_expected


def test_without_a_cv_or_a_public_score_there_is_no_verdict():
    assert check_gap([], Rows(10, 5, 5)) is None
    assert check_gap([Scores("x", None, public=0.5)], Rows(10, 5, 5)) is None
    assert check_gap([Scores("x", 0.5, 0.1)], Rows(10, 5, 5)) is None
    assert check_gap([Scores("x", 0.5, None, 0.1)], Rows(10, 5, 5)) is None


def test_the_direction_of_the_metric_does_not_matter():
    one = titanic()
    error = replace(one, cv=1 - one.cv, public=1 - one.public, values=1 - one.values)
    a, b = (check_gap([s], Rows(891, 418, 418)) for s in (one, error))
    assert a.p_value == pytest.approx(b.p_value)


def test_an_unknown_error_has_to_be_given():
    with pytest.raises(ConfigError, match="--cv REF=SCORE:SE"):
        forecast([Scores("mine", 0.8, public=0.7)], Rows(100, 50, 50))
    covariance = noise_covariance([titanic(), Scores("mine", 0.8)])
    assert covariance[1, 1] == pytest.approx(covariance[0, 0])  # the median of the known ones
    assert covariance[0, 1] == pytest.approx(0.9 * covariance[0, 0])


def test_correlations_that_contradict_each_other_are_possible():
    """Two known to be independent, a third one assumed to be like both."""
    rng = np.random.default_rng(0)
    values = [(rng.random(500) < 0.8).astype(float) for _ in range(2)]
    known = [Scores(f"s{i}", 0.8, 0.018, 0.8, values=v, units="u") for i, v in enumerate(values)]
    covariance = noise_covariance([*known, Scores("by hand", 0.8, 0.018, 0.8)])
    assert np.linalg.eigvalsh(covariance).min() > 0
    assert np.sqrt(np.diag(covariance)) == pytest.approx([0.018] * 3)


def test_false_alarms_are_rare_and_a_large_shift_is_found():
    rng = np.random.default_rng(0)
    quiet, found = 0, 0
    for _ in range(60):
        scores, rows = competition(rng, "rmse", n_models=6)
        quiet += check_gap(before_the_end(scores), rows).is_as_expected
        scores, rows = competition(rng, "rmse", n_models=6, shift=3.0)
        found += not check_gap(before_the_end(scores), rows).is_as_expected
    assert quiet >= 52 and found >= 50


def test_one_submission_that_is_too_good_in_cv_is_named():
    scores, rows = competition(np.random.default_rng(1), "rmse", n_models=6)
    scores[3] = replace(scores[3], cv=scores[3].cv - 5 * scores[3].se)  # lower is better
    gap = check_gap(before_the_end(scores), rows)
    assert gap.odd == ("model 3",) and "max-T" in gap.test


def test_private_scores_are_covered():
    rng, covered = np.random.default_rng(2), 0
    for i in range(60):
        scores, rows = competition(rng, "rmse", n_models=6, shift=0.5 * (i % 2))
        seen = forecast(before_the_end(scores), rows)
        error = abs(-scores[0].private - seen.mean[0])
        covered += error <= 1.645 * np.sqrt(seen.covariance[0, 0])
    assert 46 <= covered <= 60


def test_a_published_private_score_is_certain():
    scores, rows = competition(np.random.default_rng(3), "accuracy", n_models=4)
    seen = forecast(scores, rows)
    assert seen.mean == pytest.approx([s.private for s in scores], abs=1e-6)
    assert np.diag(seen.covariance) == pytest.approx(0, abs=1e-6)


def test_parts_without_rows_are_refused():
    with pytest.raises(ConfigError, match="0 in private"):
        Rows(10, 5, 0)
