"""A sweep declares who predicts test rows, and its run's key knows it only where it matters."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from fastkaggle_plus.competition import load_comp
from fastkaggle_plus.exceptions import UnknownName
from fastkaggle_plus.sweeps import Sweep, Trial, Vault, board, folds_for, run_local
from fastkaggle_plus.sweeps.board import refits_of
from fastkaggle_plus.sweeps.resume import run_parts
from fastkaggle_plus.sweeps.trial_versions import all_versions, find_predictions
from fastkaggle_plus.sweeps.vault import run_key

from ..bundles import SMALL_FACTS

TREE = (Trial("tree", "forest.tree_model", {"max_leaf_nodes": 4}),)


@pytest.fixture
def timed(toy):
    """The toy, split along time."""
    for name in ("train", "test"):
        frame = pd.read_csv(toy.folder / f"{name}.csv")
        days = pd.date_range("2024-01-01", periods=len(frame)).astype(str)
        frame.assign(day=days).to_csv(toy.folder / f"{name}.csv", index=False)
    facts = SMALL_FACTS.replace("stratified", "time") + 'column = "day"\n'
    (toy.folder / "competition.toml").write_text(facts)
    return load_comp(toy.folder)


def sweep(comp, vault, test="auto", trials=TREE, **options):
    declared = Sweep("toy", trials, n_folds=3, test=test)
    return run_local(declared, comp, comp.folder, vault=vault, workers=0, **options)


def test_a_refit_is_another_run_of_the_same_score(timed, tmp_path):
    vault = Vault(tmp_path / "vault")
    [auto] = sweep(timed, vault)
    assert auto.predictions.about["test"] == "refit on all rows"
    assert sweep(timed, vault, "refit")[0].reused
    [mean] = sweep(timed, vault, "folds")
    assert not mean.reused and mean.predictions.about["test"] == "mean of 3 folds"
    assert not np.array_equal(mean.predictions.test, auto.predictions.test)
    before, now = find_predictions(vault, "toy", ["tree@before", "tree"])
    assert before.oof_score == now.oof_score == auto.predictions.oof_score
    old = next(p for p in all_versions(vault, "toy")[0] if "@" in p.name)
    assert old.about["version"]["changed"] == ["refit"]
    rows = board([auto, dataclasses.replace(mean.predictions, name="mean")])
    assert [row.predicts_test for row in rows] == ["refit on all rows", "mean of 3 folds"]
    assert "refit on all rows (tree)" in refits_of(rows) and refits_of(rows[1:]) == ""


def test_without_a_time_split_auto_is_the_run_of_before(toy):
    data = toy.read(toy.folder)
    folds = folds_for(toy, data, n_folds=3)
    parts = {
        test: run_parts(Sweep("toy", TREE, n_folds=3, test=test), toy, data, {1: folds})["tree"]
        for test in ("auto", "folds", "refit")
    }
    assert parts["auto"] == parts["folds"] and "test" not in parts["auto"]
    assert parts["refit"] == {**parts["auto"], "test": "refit"}
    assert run_key(**parts["refit"]) != run_key(**parts["auto"])


def test_a_refit_counts_in_the_budget_of_epochs(timed, tmp_path):
    net = (Trial("net", "models.epochs", {"epochs": 1, "freeze_epochs": 0}),)
    vault = Vault(tmp_path / "vault")
    [refused] = sweep(timed, vault, trials=net, max_epochs=3)
    assert refused.error.startswith("not run: it needs 4 epochs on 3 folds and a refit")
    assert sweep(timed, vault, "folds", trials=net, max_epochs=3)[0].predictions is not None


def test_other_words_are_refused():
    with pytest.raises(UnknownName, match="Unknown way to predict test rows"):
        Sweep("toy", TREE, test="all")
    assert dataclasses.replace(Sweep("toy", TREE), test="refit").to_json().count("refit") == 1
