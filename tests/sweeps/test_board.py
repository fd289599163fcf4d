"""The board ranks finished trials, pools repeats, and has one verdict for all."""

import numpy as np

from fastkaggle_plus import best_of, best_set, compare, ensemble
from fastkaggle_plus.sweeps import Sweep, Trial, Vault, board, run_local
from fastkaggle_plus.sweeps.board import about_verdicts
from fastkaggle_plus.sweeps.ensemble_row import ensemble_row, why_one_member, with_ensemble

from ..making import make_predictions

TREES = tuple(Trial(f"tree{n}", "forest.tree_model", {"max_leaf_nodes": n}) for n in (2, 8))
GUESS = Trial("guess", "forest.forest_model", {"n_estimators": 1, "min_samples_leaf": 100})


def test_each_trial_has_a_verdict(toy, tmp_path):
    vault = Vault(tmp_path / "vault")
    sweep = Sweep("toy", (*TREES, GUESS), n_folds=3)
    rows = board(run_local(sweep, toy, toy.folder, vault=vault, workers=0))
    best, other, worst = rows
    assert best.p_value is None and best.verdict == "best" and best.gain == 0
    assert rows == sorted(rows, key=lambda r: -r.oof_score)
    assert worst.name == "guess" and worst.verdict.startswith("worse")
    plain, members = other.as_json(), vault.latest("toy")[0]
    assert plain["p_value"] == other.p_value == best_set(members).p_values[other.name]
    assert plain["to_best"] == other.gain <= 0 and "max-T" in plain["test"]
    assert best.winner == best_of(members) and other.winner is None
    assert best.as_json()["winner"]["corrected"] <= best.oof_score
    assert board(members) == rows and board([]) == []
    said = " ".join(about_verdicts(rows))
    assert "corrected for choosing among 3" in said and "adjusted for 3 trials" in said
    assert "among 5" in about_verdicts(board(members, stopped=[[0.5], [0.6]]))[0]
    again = board(run_local(sweep, toy, toy.folder, vault=vault, workers=0))
    assert [r.reused for r in again] == [True] * 3 and not any(r.reused for r in rows)


def test_repeats_are_one_row_with_their_mean():
    repeats = [make_predictions(f"a #{k}" if k > 1 else "a", seed=k) for k in (1, 2, 3)]
    rows = board([*repeats, make_predictions("b", right=0.4, seed=9)])
    scores = [p.oof_score for p in repeats]
    assert [(r.name, r.n_repeats) for r in rows] == [("a", 3), ("b", 1)]
    assert rows[0].oof_score == np.mean(scores) and rows[0].shown_name == "a (3 repeats)"
    assert rows[0].oof_score_se > np.std(scores, ddof=1) / np.sqrt(3)
    assert rows[0].winner.n_tried == 2 and rows[1].outcome == "worse"
    assert rows[0].as_row()["trial"] == "a (3 repeats)" and rows[0].as_json()["n_repeats"] == 3


def test_the_ensemble_is_compared_with_the_best_trial():
    members = [make_predictions(f"t{i}", right=0.8, seed=i) for i in range(3)]
    rows = board([*members, make_predictions("t0 #2", seed=7)])
    combined = ensemble(members)
    own = ensemble_row(combined, members, rows)
    best = next(p for p in members if p.name == rows[0].name)
    test = compare(combined, best)
    assert (own.p_value, own.gain, own.test) == (test.p_value, test.gain, test.test)
    assert own.outcome == "better" and own.verdict.startswith("better (p = ")
    shown = with_ensemble(rows, own)
    assert [r.name for r in shown] == ["ensemble", *(r.name for r in rows)]
    assert about_verdicts(shown) == about_verdicts(rows)
    alone = ensemble_row(members[0], members[:1], board(members[:1]))
    assert alone.verdict == "cannot be told apart (p = 1)"


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
    assert why.endswith("In accuracy, first is better, but the two cannot be told apart.")
