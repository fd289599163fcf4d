"""A search suggests the same trials for a seed, stops poor ones early, and goes on after a stop."""

import dataclasses

import numpy as np
import pytest

from fastkaggle_plus.exceptions import ConfigError, DataError, UnknownName
from fastkaggle_plus.sweeps import (
    Range,
    Search,
    Sweep,
    Trial,
    Vault,
    board,
    find_predictions,
    grid,
    run_local,
    run_search,
    search_of,
)
from fastkaggle_plus.sweeps.execution import SweepExecution, run_trial
from fastkaggle_plus.sweeps.pruning import FoldPruner, Pruned

from ..making import make_values

MODEL = """
def noisy(noise=0.0, log="", style="plain"):
    import numpy as np
    def fit(table):
        with open(log, "a") as f:
            f.write(f"{noise}\\n")
        def predict(rows):
            right = (rows.x["a"].to_numpy() > 0).astype(float)
            wrong = np.random.default_rng(0).random(len(right)) < noise
            chance = np.where(wrong, 1 - right, right) * 0.8 + 0.1
            return np.stack([1 - chance, chance], 1)
        return predict
    return fit
"""


@pytest.fixture
def noisy(toy):
    """The toy with a model whose score falls with `noise`, and which logs each fit."""
    (toy.folder / "noisy.py").write_text(MODEL)
    return toy


def log(toy):
    file = toy.folder.parent / "log"
    return file.read_text().split() if file.exists() else []


def declare(toy, **changes):
    trial = Trial("noisy", "noisy.noisy", {"log": str(toy.folder.parent / "log")})
    facts = dict(trial=trial, space={"noise": Range(0.0, 0.9)}, n_trials=12, batch=3, seed=1)
    return Search(**{**facts, **changes})


def search(toy, declared, vault, **options):
    options = dict(n_folds=4, workers=0) | options
    return run_search(declared, toy, toy.folder, vault=vault, **options)


def outcome_of(results):
    """Return what must not depend on the execution."""
    return [(r.name, r.fold_scores, r.predictions and r.predictions.oof_score) for r in results]


def test_a_search_stops_poor_trials_and_stores_all_of_them(noisy, tmp_path):
    vault = Vault(tmp_path / "vault")
    results = search(noisy, declare(noisy), vault)
    stopped = [r for r in results if r.is_pruned]
    finished = [r for r in results if r.predictions]
    assert len(results) == 12 and len(stopped) + len(finished) == 12 and len(stopped) >= 4
    assert len(log(noisy)) == 4 * len(finished) + sum(len(r.fold_scores) for r in stopped)
    noise = {r.name: r.trial.params["noise"] for r in results}
    best = max(finished, key=lambda r: r.predictions.oof_score)
    assert noise[best.name] <= sorted(noise.values())[2]
    assert min(noise[r.name] for r in stopped) > noise[best.name]
    assert {r.trial.hypothesis for r in results} == {"search: noise"}
    assert all(r.name == f"noisy noise={noise[r.name]}" for r in results)
    assert stopped[0].as_row()["note"].startswith("pruned after 1 fold: 0.")

    # a pruned trial is in the vault, and in nothing that ranks or combines
    names = {r.name for r in stopped}
    assert set(vault.pruned("toy")) == names and not names & {run.trial for run in vault.runs()}
    assert not names & {p.name for p in vault.latest("toy")[0]}
    assert not names & {row.name for row in board(results)}
    with pytest.raises(DataError, match="stopped it after a fold"):
        find_predictions(vault, "toy", [stopped[0].name])

    # a sweep runs it whole
    [whole] = run_local(
        Sweep("toy", (stopped[0].trial,), n_folds=4), noisy, noisy.folder, vault=vault, workers=0
    )
    assert whole.predictions.fold_scores[0] == stopped[0].fold_scores[0]
    assert stopped[0].name not in vault.pruned("toy")


def test_a_search_goes_on_after_a_stop_as_if_there_was_none(noisy, tmp_path):
    whole = search(noisy, declare(noisy), Vault(tmp_path / "whole"))
    n_fits, vault = len(log(noisy)), Vault(tmp_path / "vault")
    ended = []

    def stop_in_the_third_batch(result):
        ended.append(result.name)
        if len(ended) == 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search(noisy, declare(noisy), vault, on_result=stop_in_the_third_batch)
    again = search(noisy, declare(noisy), vault)
    assert outcome_of(again) == outcome_of(whole)
    assert [r.reused for r in again] == [True] * 8 + [False] * 4
    assert len(log(noisy)) == 2 * n_fits  # nothing ran twice
    more = search(noisy, declare(noisy, n_trials=15), vault)
    assert outcome_of(more)[:12] == outcome_of(whole) and len(more) == 15


def test_processes_and_result_files_give_the_same_search(noisy, tmp_path):
    here = search(noisy, declare(noisy, n_trials=6), Vault(tmp_path / "here"))
    there = search(noisy, declare(noisy, n_trials=6), Vault(tmp_path / "there"), workers=2)
    assert any(r.is_pruned for r in here) and outcome_of(here) == outcome_of(there)

    # a far worker leaves a pruned trial as a file, which the driver takes in
    stopped, vault = next(r for r in here if r.is_pruned), Vault(tmp_path / "far")
    sweep = Sweep("toy", (stopped.trial,), n_folds=4, earlier=[[1.0] * 4] * 3, prune=True)
    far = SweepExecution(sweep, noisy, noisy.folder, vault=vault, far=True)
    far.resume()
    task = far.start_next()
    assert run_trial(task, lambda share, step: None) == ""
    assert len(list(vault.spool.glob("*.zip"))) == 1 and not vault.pruned("toy")
    far.finish(task, "")
    assert far.results[0].fold_scores == stopped.fold_scores[:1]
    assert vault.pruned("toy") == {stopped.name: stopped.fold_scores}


def test_without_pruning_every_trial_finishes(noisy, tmp_path):
    declared = declare(noisy, n_trials=5, prune="none", sampler="random")
    results = search(noisy, declared, Vault(tmp_path / "vault"))
    assert len(results) == 5 and all(r.predictions for r in results)


def test_values_that_are_suggested_twice_run_once(noisy, tmp_path):
    space = {"noise": [0.1, 0.4], "style": ["plain", "other"]}
    results = search(noisy, declare(noisy, space=space), Vault(tmp_path / "vault"))
    styles = [
        f"noisy noise={noise} style={style}" for noise in (0.1, 0.4) for style in space["style"]
    ]
    assert sorted(r.name for r in results) == styles[1::-1] + styles[:1:-1]
    assert len(log(noisy)) <= 16 and not any(r.reused for r in results)


def test_a_search_ends_when_a_batch_fails_or_the_time_is_used(noisy, tmp_path):
    broken = declare(noisy, trial=Trial("bad", "noisy.noisy", {"log": "/no/such/folder"}))
    results = search(noisy, broken, Vault(tmp_path / "vault"))
    assert len(results) == 3 and all(r.failed for r in results)
    results = search(noisy, declare(noisy), Vault(tmp_path / "late"), stop_after_s=0)
    assert len(results) == 3 and all(r.not_run for r in results)
    with pytest.raises(ConfigError, match="its budget is n_trials"):
        search(noisy, declare(noisy), Vault(tmp_path / "vault"), max_trials=3)
    with pytest.raises(ConfigError, match="noise_level"):
        search(noisy, declare(noisy, space={"noise_level": Range(0.0, 1.0)}), Vault(tmp_path / "v"))


def test_the_pruner_stops_what_is_not_in_the_best_tenth():
    earlier = [[score] * 5 for score in (0.5, 0.6, 0.7, 0.8, 0.9)]
    rmse, auc = make_values().scoring, dataclasses.replace(make_values().scoring, name="auc")
    auc = dataclasses.replace(auc, higher_is_better=True)

    def folds_run(scores, metric, given=earlier):
        pruner = FoldPruner(given, metric=metric, n_folds=len(scores))
        try:
            for fold, score in enumerate(scores):
                pruner(fold, score)
        except Pruned as e:
            assert e.fold_scores == scores[: len(e.fold_scores)]
            return len(e.fold_scores)
        return len(scores)

    assert folds_run([0.95] * 5, auc) == 5 and folds_run([0.87] * 5, auc) == 5
    assert folds_run([0.65] * 5, auc) == 1 and folds_run([0.65] * 5, rmse) == 1
    assert folds_run([0.45] * 5, rmse) == 5
    assert folds_run([0.95, 0.1, 0.1, 0.1, 0.1], auc) == 2  # a lucky first fold does not last
    assert folds_run([0.87, 0.87, 0.87, 0.87, 0.0], auc) == 5  # never after the last
    assert folds_run([float("nan"), 0.1, 0.1], auc) == 3  # a fold without a score decides nothing
    assert folds_run([0.1] * 5, auc, given=[]) == 5


def test_a_grid_is_all_combinations_with_readable_names():
    trials = grid("nearest_model", k=[3, 10], seed=range(2))
    assert [t.name for t in trials] == [
        "nearest k=3 seed=0",
        "nearest k=3 seed=1",
        "nearest k=10 seed=0",
        "nearest k=10 seed=1",
    ]
    assert trials[2].params == {"k": 10, "seed": 0} and trials[2].hypothesis == "grid: k, seed"
    ridge = Trial("ridge", "sklearn.linear_model.Ridge", {"tol": 0.1}, "shrinks", in_ensemble=False)
    [_, high] = grid(ridge, alpha=np.logspace(0, 1, 2))
    assert high.name == "ridge alpha=10.0" and high.params == {"tol": 0.1, "alpha": 10.0}
    assert (high.hypothesis, high.in_ensemble) == ("shrinks", False)
    [one] = grid("sklearn.linear_model.Ridge", alpha=np.array([2]))
    assert one.name == "Ridge alpha=2" and type(one.params["alpha"]) is int
    for wrong in (5, "abc"):
        with pytest.raises(ConfigError, match="needs a list of values: write k="):
            grid("nearest_model", k=wrong)


@pytest.mark.parametrize(
    "space, message",
    [
        ({"a": lambda: Range(3, 1)}, "the lower one first"),
        ({"a": lambda: Range(0, 10, log=True)}, "above 0"),
        ({"a": lambda: Range(0, 1)}, r"Write \[0, 1\]"),
        ({"a": lambda: [5]}, "two or more values"),
        ({"a": lambda: [0.1, 0.5]}, None),
        ({"a": lambda: (0.1, 0.5)}, "Range"),
        ({"a": lambda: "abc"}, "Range"),
        ({}, "needs a space"),
    ],
)
def test_a_space_that_cannot_be_searched_is_refused(space, message):
    def declared():
        return Search(Trial("t", "tree_model"), {name: make() for name, make in space.items()})

    if message is None:
        assert declared().n_trials == 40
        return
    with pytest.raises(ConfigError, match=message):
        declared()


def test_values_have_few_digits_and_stay_in_their_range():
    rng = np.random.default_rng(0)
    for r in (Range(1e-5, 0.3, log=True), Range(0.3, 1.0), Range(0.98, 0.999), Range(10.0, 90.0)):
        values = [r.rounded(v) for v in rng.uniform(r.low, r.high, 200)]
        assert all(r.low <= v <= r.high for v in values) and len(set(values)) > 15
        assert max(len(str(v)) for v in values) <= 8
    whole = Range(4, 256).rounded(17)
    assert whole == 17 and type(whole) is int


def test_trials_py_declares_searches_by_name(toy):
    with pytest.raises(UnknownName, match=r"Declare it in the competition's trials\.py: SEARCH"):
        search_of(toy)
    (toy.folder / "trials.py").write_text(
        "from fastkaggle_plus import Range, Search, Trial\n"
        'DEEP = Search(Trial("t", "tree_model"), {"max_depth": Range(2, 9)})\n'
    )
    assert search_of(toy, "DEEP").point({"max_depth": 3}).name == "t max_depth=3"
    with pytest.raises(UnknownName, match="DEEP"):
        search_of(toy)
