"""The board ranks finished trials and compares each with the best."""

import numpy as np

from fastkaggle_plus import ensemble
from fastkaggle_plus.sweeps import Sweep, Trial, Vault, board, run_local
from fastkaggle_plus.sweeps.board import why_one_member

from ..making import make_predictions

TREES = tuple(Trial(f"tree{n}", "forest.tree_model", {"max_leaf_nodes": n}) for n in (2, 8))
GUESS = Trial("guess", "forest.forest_model", {"n_estimators": 1, "min_samples_leaf": 100})


def test_each_trial_is_compared_with_the_best(toy, tmp_path):
    vault = Vault(tmp_path / "vault")
    sweep = Sweep("toy", (*TREES, GUESS), n_folds=3)
    rows = board(run_local(sweep, toy, toy.folder, vault=vault, workers=0))
    best, other, worst = rows
    assert best.to_best is None and best.verdict == "best"
    assert rows == sorted(rows, key=lambda r: -r.oof_score)
    assert worst.name == "guess" and worst.verdict.startswith("worse")
    assert other.to_best.test == "mid-p McNemar" and other.to_best.n_rows == 200
    plain = other.as_json()
    assert plain["p_value"] == other.to_best.p_value
    assert plain["to_best"] == other.to_best.gain <= 0
    assert board(vault.latest("toy")[0]) == rows
    again = board(run_local(sweep, toy, toy.folder, vault=vault, workers=0))
    assert [r.reused for r in again] == [True] * 3 and not any(r.reused for r in rows)


def test_a_greedy_ensemble_of_one_trial_says_why():
    members = [make_predictions("good", right=0.9), make_predictions("bad", right=0.3, seed=1)]
    why = why_one_member(ensemble(members, method="greedy"), board(members))
    fitted = "log_loss, to which the weights are fitted"
    assert why == f"only good has a weight: by {fitted}, no mix with another trial is better."
    assert why_one_member(ensemble(members), board(members)) == ""
    first = make_predictions("first", right=0.92)
    first.oof[:] = 0.5 + 0.01 * np.sign(first.oof - 0.5)  # right more often, and not sure at all
    members = [members[0], first]
    why = why_one_member(ensemble(members, method="greedy"), board(members))
    assert why.endswith("In accuracy, first is better; the difference may be noise.")
