"""A budget limits trials, epochs or time; a trial that exceeds it is a result that was not run."""

from types import SimpleNamespace

import numpy as np
import pytest

from fastkaggle_plus.exceptions import ConfigError
from fastkaggle_plus.sweeps import Sweep, Trial, Vault, board, budget, run_local
from fastkaggle_plus.sweeps.budget import epochs_of


def nets(*epochs):
    return tuple(Trial(f"net{n}", "models.epochs", {"epochs": n, "seed": n}) for n in epochs)


def sweep(toy, trials, tmp_path, **limits):
    declared = Sweep(
        "toy", trials, n_folds=limits.pop("n_folds", 3), holdout=limits.pop("holdout", None)
    )
    return run_local(
        declared, toy, toy.folder, vault=Vault(tmp_path / "vault"), workers=0, **limits
    )


def ran(results):
    return [r.name for r in results if r.predictions is not None and not r.reused]


def test_trials_beyond_the_budget_run_with_the_next_call(toy, tmp_path):
    ended = []
    first = sweep(toy, nets(1, 2, 3), tmp_path, max_trials=2, on_result=ended.append)
    assert ran(first) == ["net1", "net2"] and [r.name for r in ended] == ["net1", "net2", "net3"]
    assert (
        first[2].not_run
        and not first[2].failed
        and first[2].error == "not run: the budget of 2 trials is used"
    )
    stored = {r.trial for r in Vault(tmp_path / "vault").runs()}
    assert stored == {"net1", "net2"}  # a trial that did not run is no failure
    assert [r.name for r in board(first)] == [r.name for r in board(first[:2])]
    again = sweep(toy, nets(1, 2, 3), tmp_path, max_trials=1)
    assert ran(again) == ["net3"]  # finished trials do not count


def test_epochs_of_all_folds_count_and_so_do_frozen_ones(toy, tmp_path):
    # (1 + 1), (8 + 1) and (2 + 1) epochs on 3 folds
    results = sweep(
        toy, (*nets(1, 8, 2), Trial("tree", "forest.tree_model")), tmp_path, max_epochs=16
    )
    # a later trial that fits the budget runs, and a tree has no epochs
    assert ran(results) == ["net1", "net2", "tree"]
    assert (
        results[1].error
        == "not run: it needs 27 epochs on 3 folds, and the budget of 16 has 10 left"
    )
    assert ran(sweep(toy, nets(8), tmp_path, max_epochs=9, holdout=0.25)) == ["net8"]  # one fit


@pytest.mark.parametrize(
    ("trial", "epochs"),
    [
        (Trial("t", "tabular.tabular_model"), 16),
        (Trial("t", "tabular.tabular_model", {"epochs": 3}), 3),
        (
            Trial(
                "t",
                "bagging.bag_model",
                {"model": "tabular.tabular_model", "n": 5, "params": {"epochs": 3}},
            ),
            15,
        ),
        (Trial("t", "bagging.bag_model", {"model": "tabular.tabular_model"}), 160),
        (Trial("t", "models.epochs"), 4),
        (Trial("t", "models.epochs", {"freeze_epochs": 0}), 3),
        (Trial("t", "forest.forest_model"), 0),
        (Trial("t", "forest.forrest_model"), 0),
    ],
)
def test_epochs_come_from_the_trial_or_its_function(toy, trial, epochs):
    assert epochs_of(trial.model, trial.params, toy) == epochs


def test_the_time_limit_only_stops_further_starts(toy, tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(budget, "time", SimpleNamespace(monotonic=lambda: now[0]))

    def run_past_the_limit(trial):
        now[0] += 9

    first = sweep(toy, nets(1, 2), tmp_path, stop_after_s=5, on_start=run_past_the_limit)
    assert ran(first) == ["net1"]  # the trial that was running ran to its end
    assert first[1].error == "not run: no trial starts after 5 s"
    assert ran(sweep(toy, nets(2), tmp_path, stop_after_s=0)) == []


@pytest.mark.parametrize("limit", ["max_trials", "max_epochs", "stop_after_s"])
def test_a_budget_below_zero_is_refused(toy, tmp_path, limit):
    with pytest.raises(ConfigError, match=f"{limit} = -1"):
        sweep(toy, nets(1), tmp_path, **{limit: -1})


def test_a_holdout_is_scored_on_its_own_rows_and_is_another_run_than_folds(toy, tmp_path):
    [by_folds], [held_out] = (
        sweep(toy, nets(1), tmp_path),
        sweep(toy, nets(1), tmp_path, holdout=0.25),
    )
    assert (
        not held_out.reused
        and held_out.predictions.validated.sum() == 50
        and by_folds.predictions.validated.all()
    )
    assert (
        np.isnan(held_out.predictions.oof).any(1).sum() == 150
        and len(held_out.predictions.fold_scores) == 1
    )
    assert sweep(toy, nets(1), tmp_path, holdout=0.25)[0].reused
