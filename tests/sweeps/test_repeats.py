"""Repeats run a trial with other seeds and measure the spread of its scores."""

import statistics

import pytest

from fastkaggle_plus.exceptions import ConfigError
from fastkaggle_plus.sweeps import Sweep, Trial, Vault, repeat_spread, repeated, run_local


def test_each_trial_gets_seeds_that_follow_its_own(toy):
    trials = (
        Trial("a", "forest.forest_model"),
        Trial("b", "models.epochs", {"epochs": 2, "seed": 7}),
    )
    assert repeated(trials, 1, comp=toy) == trials
    more = repeated(trials, 3, comp=toy)
    assert [t.name for t in more] == ["a", "b", "a #2", "b #2", "a #3", "b #3"]
    assert more[:2] == trials  # they may be in the vault
    assert [t.params.get("seed") for t in more] == [None, 7, 43, 8, 44, 9]
    assert more[5].params["epochs"] == 2
    assert [t.in_ensemble for t in more] == [True, True, False, False, False, False]
    assert len({t.fingerprint() for t in more}) == 6


def test_a_model_without_a_seed_is_named(toy):
    trials = (
        Trial("fine", "forest.forest_model"),
        Trial("rule", "forest.one_r_model"),
        Trial("typo", "forest.forrest_model"),
    )
    with pytest.raises(ConfigError, match=r"take no `seed`.*: rule, typo"):
        repeated(trials, 2, comp=toy)
    with pytest.raises(ConfigError, match="got 0 repeats"):
        repeated(trials, 0, comp=toy)


def test_the_spread_is_that_of_the_scores(toy, tmp_path):
    trials = (
        *repeated([Trial("forest", "forest.forest_model", {"n_estimators": 3})], 3, comp=toy),
        Trial("once", "forest.one_r_model"),
    )
    results = run_local(
        Sweep("toy", trials, n_folds=2), toy, toy.folder, vault=Vault(tmp_path / "vault"), workers=0
    )
    scores = [r.predictions.oof_score for r in results[:3]]
    assert len(set(scores)) > 1  # the seeds matter
    [spread] = repeat_spread(results)
    assert (spread.name, spread.n) == ("forest", 3)
    assert (spread.lowest, spread.highest) == (min(scores), max(scores))
    assert spread.mean == pytest.approx(sum(scores) / 3)
    assert spread.sd == pytest.approx(statistics.stdev(scores))
    assert repeat_spread([results[0], results[3]]) == []
