"""Repeats run a trial with other seeds and splits; the vault keeps them apart and pairs them."""

import statistics

import numpy as np
import pytest

from fastkaggle_plus.competition import load_comp
from fastkaggle_plus.exceptions import ConfigError
from fastkaggle_plus.predictions import recipe_of
from fastkaggle_plus.sweeps import Sweep, Trial, Vault, repeat_spread, repeated, run_local
from fastkaggle_plus.sweeps.repeats import by_recipe, paired_repeats
from fastkaggle_plus.sweeps.trial_versions import all_versions

FOREST = Trial("forest", "forest.forest_model", {"n_estimators": 3})
RULE = Trial("rule", "forest.one_r_model")


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
    assert [t.repeat for t in more] == [1, 1, 2, 2, 3, 3]
    assert more[5].params["epochs"] == 2
    assert [t.in_ensemble for t in more] == [True, True, False, False, False, False]
    assert len({t.fingerprint() for t in more}) == 6
    with pytest.raises(ConfigError, match="got 0 repeats"):
        repeated(trials, 0, comp=toy)


def test_a_model_without_a_seed_is_repeated_on_other_splits_but_not_along_time(toy):
    more = repeated([RULE], 2, comp=toy)
    assert [t.params for t in more] == [{}, {}]
    assert more[0].fingerprint() != more[1].fingerprint()
    facts = toy.folder / "competition.toml"
    facts.write_text(facts.read_text().replace("stratified", 'time"\ncolumn = "a'))
    timed = load_comp(facts.parent)
    with pytest.raises(ConfigError, match=r"one split.*same result: rule"):
        repeated([RULE, FOREST], 2, comp=timed)
    assert len(repeated([FOREST], 2, comp=timed)) == 2


def test_a_name_with_a_number_is_a_repeat():
    assert recipe_of("forest #12") == ("forest", 12)
    assert recipe_of("forest #1") == ("forest #1", 1)
    assert recipe_of("forest # 2") == ("forest # 2", 1)
    with pytest.raises(ConfigError, match=r"'net #2'.*Choose another name"):
        Sweep("toy", (Trial("net #2", "forest.forest_model"),))


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """A sweep of three repeats, and its vault."""
    from .conftest import make_toy

    at = tmp_path_factory.mktemp("repeats")
    toy, vault = make_toy(at), Vault(at / "vault")
    trials = repeated([FOREST, RULE], 3, comp=toy)
    results = run_local(Sweep("toy", trials, n_folds=2), toy, toy.folder, vault=vault, workers=0)
    return toy, vault, {r.name: r.predictions for r in results}


def test_each_repeat_has_a_split_that_both_recipes_share(swept):
    _, _, preds = swept
    splits = {name: p.folds.tobytes() for name, p in preds.items()}
    assert len(set(splits.values())) == 3
    for number in ("", " #2", " #3"):
        assert splits[f"forest{number}"] == splits[f"rule{number}"]
    assert [preds[f"rule{n}"].about["split_seed"] for n in ("", " #2", " #3")] == [42, 43, 44]
    a, b = paired_repeats(*by_recipe(preds.values()).values())
    assert [p.name for p in a] == ["forest", "forest #2", "forest #3"]
    assert [p.name for p in b] == ["rule", "rule #2", "rule #3"]


def test_the_spread_is_that_of_the_scores(swept):
    _, _, preds = swept
    scores = [preds[name].oof_score for name in ("forest", "forest #2", "forest #3")]
    assert len(set(scores)) > 1
    spread, of_rule = repeat_spread(list(preds.values()))
    assert (spread.name, spread.n, of_rule.name) == ("forest", 3, "rule")
    assert (spread.lowest, spread.highest) == (min(scores), max(scores))
    assert spread.mean == pytest.approx(sum(scores) / 3)
    assert spread.sd == pytest.approx(statistics.stdev(scores))
    assert repeat_spread([preds["forest"], preds["rule"]]) == []


def test_repeats_are_resumed_and_the_first_is_the_trial_itself(swept):
    toy, vault, preds = swept
    more = Sweep("toy", repeated([FOREST], 4, comp=toy), n_folds=2)
    results = run_local(more, toy, toy.folder, vault=vault, workers=0)
    assert [r.reused for r in results] == [True, True, True, False]
    [own] = run_local(Sweep("toy", (FOREST,), n_folds=2), toy, toy.folder, vault=vault, workers=0)
    assert own.reused and np.array_equal(own.predictions.oof, preds["forest"].oof)


def test_the_vault_lists_repeats_of_the_newest_split_only(swept, tmp_path):
    toy, _, _ = swept
    vault = Vault(tmp_path / "vault")

    def run(n, seed):
        plan = Sweep("toy", repeated([RULE], n, comp=toy), n_folds=2, seed=seed)
        run_local(plan, toy, toy.folder, vault=vault, workers=0)
        return [p.name for p in vault.latest("toy")[0]]

    assert set(run(3, 42)) == {"rule", "rule #2", "rule #3"}
    assert set(run(2, 7)) == {"rule", "rule #2"}  # the third is of another sweep
    versions, others = all_versions(vault, "toy")
    assert {p.name for p in versions} == {"rule", "rule #2"}
    assert len(others) == 3
    assert run(1, 43) == ["rule"]  # the split of "rule #2" above, but another run
