"""The hypothesis log: predictions before, verdicts after, adjusted for the number of tests."""

from dataclasses import replace

import numpy as np
import pytest

from fastkaggle_plus import Trial, experiment, hypothesis_log
from fastkaggle_plus.sweeps import Sweep, TrialResult, Vault, run_local, stored_log

from ..making import make_predictions

BASE = Trial("base", "forest.tree_model", {"max_leaf_nodes": 2}, "Two leaves are a start.")
WHY = "more leaves see more"


def leaves(n, **options):
    """Declare another number of leaves as an experiment on the base."""
    return experiment(WHY, base=BASE, change={"max_leaf_nodes": n}, name=f"{n} leaves", **options)


def result(trial, right, *, seed=1, declared=None):
    """Return a result that is right on a share of 1,000 rows; its prediction is stored in it."""
    preds = make_predictions(trial.name, n=1000, right=right, seed=seed)
    return TrialResult(trial, replace(preds, about={"expect": declared or trial.expect}))


def answer(right, expect, **options):
    """Return the log entry of an experiment on a base that is right on 70% of the rows."""
    base = result(BASE, 0.7, seed=0)
    log = hypothesis_log([base, result(leaves(8, expect=expect), right, **options)])
    return log[1]


@pytest.mark.parametrize(
    "right, expect, verdict, outcome",
    [
        (0.9, 0.2, "better", "as expected"),
        (0.9, 0.5, "better", "less than expected"),
        (0.9, 0.01, "better", "more than expected"),
        (0.9, None, "better", ""),
        (0.5, 0.1, "worse", "less than expected"),
        (0.5, -0.2, "worse", "as expected"),
        (0.7, 0.01, "cannot be told apart", "the expected gain is possible"),
        (0.7, 0.3, "cannot be told apart", "less than expected"),
    ],
)
def test_the_verdict_answers_the_prediction(right, expect, verdict, outcome):
    entry = answer(right, expect)
    assert (entry.verdict, entry.outcome) == (verdict, outcome)
    got = f"got {entry.gain.gain:+.4f} ± {entry.gain.se:.4f}: {verdict}"
    assert entry.answer.startswith(got if expect is None else f"expected {expect:+.4f}, {got}")
    assert entry.answer.endswith(outcome or verdict)
    assert entry.change == "max_leaf_nodes = 8 instead of 2"
    assert entry.as_json()["verdict"] == verdict and entry.as_json()["expect"] == expect


def test_a_gain_that_was_expected_after_the_result_is_no_prediction():
    entry = answer(0.9, 0.2, declared=0.01)
    assert not entry.is_predicted and entry.outcome == ""
    assert entry.answer.startswith("expected +0.2000 (declared after it ran), got +0.")


def test_a_change_without_effect_says_so():
    entry = hypothesis_log([result(BASE, 0.7), result(leaves(8, expect=0.1), 0.7)])[1]
    assert entry.answer.endswith("cannot be told apart, the change made no difference")


def test_p_values_are_adjusted_for_all_experiments_and_the_log_says_so():
    """An adjusted p-value is between the p-value and Bonferroni's for all pairs of trials."""
    trials = [leaves(n) for n in range(3, 8)]
    shares = (0.8, 0.71, 0.75, 0.72, 0.69)
    results = [
        result(t, s, seed=i + 55) for i, (t, s) in enumerate(zip(trials, shares, strict=True))
    ]
    log = hypothesis_log([result(BASE, 0.7, seed=0), *results])
    raw = np.array([e.gain.p_value for e in log[1:]])
    adjusted = np.array([e.p_adjusted for e in log[1:]])
    assert (adjusted >= raw).all() and (adjusted <= np.minimum(1, raw * 15)).all()
    assert (np.argsort(adjusted, kind="stable")[:2] == np.argsort(raw)[:2]).all()
    lost = [e.verdict for e in log[1:] if e.gain.p_value < 0.05 <= e.p_adjusted]
    assert lost == ["cannot be told apart"] * 3 and log[1].verdict == "better"
    assert "for all pairs of these trials" in log.summary and log.summary in repr(log)
    alone = hypothesis_log([result(BASE, 0.7, seed=0), results[2]])
    assert alone[1].p_adjusted == alone[1].gain.p_value and "adjusted" not in alone.summary


def test_logs_of_experiments_without_an_effect_seldom_have_a_verdict():
    """Of 200 logs of 6 experiments that are as good as their base, about 5% may have one."""
    rng, wrong, unadjusted = np.random.default_rng(0), 0, 0
    trials = [leaves(n) for n in range(3, 9)]
    for _ in range(200):
        base, *others = (result(t, 0.8, seed=rng.integers(1e9)) for t in (BASE, *trials))
        log = hypothesis_log([base, *others], rows=())
        wrong += any(e.verdict in ("better", "worse") for e in log)
        unadjusted += any(e.gain.p_value < 0.05 for e in log[1:])
    assert wrong <= 18 < unadjusted, (wrong, unadjusted)


def test_recipes_decide_where_both_trials_were_repeated():
    def repeated(trial, right, seed):
        names = (trial.name, f"{trial.name} #2", f"{trial.name} #3")
        trials = (replace(trial, name=name) for name in names)
        return [result(t, right, seed=seed + i) for i, t in enumerate(trials)]

    new, base = repeated(leaves(8, expect=0.2), 0.9, 10), repeated(BASE, 0.7, 0)
    log = hypothesis_log([*base, *new])
    assert [e.trial.name for e in log] == ["base", "8 leaves"] and log[1].repeats == (1, 2, 3)
    assert log[1].test == f"{log[1].gain.test}, 3 repeats" and log[1].gain.n_repeats == 3
    assert (log[1].verdict, log[1].outcome) == ("better", "as expected")
    fits = hypothesis_log([base[0], *new])[1]
    assert fits.repeats == () and fits.test.endswith("McNemar, these fits")


def test_trials_without_a_base_have_the_verdict_of_the_board():
    other = Trial("other", "forest.forest_model", hypothesis="Many trees beat one.")
    failed = TrialResult(leaves(3), None, "Traceback ...\nValueError: three")
    log = hypothesis_log([result(BASE, 0.9), result(other, 0.5), failed])
    assert log[0].answer == "on the board: best" and log[1].answer.startswith("on the board: worse")
    assert log[2].answer == "failed: ValueError: three"
    assert log.summary.startswith("No experiment has a result yet")
    assert "<table" in log._repr_html_() and "No experiment" in log._repr_html_()


def run(toy, vault, *trials, **split):
    sweep = Sweep("toy", trials, **{"n_folds": 2, **split})
    return run_local(sweep, toy, toy.folder, vault=vault, workers=0)


def test_the_vault_has_the_log_of_every_trial_on_its_own_rows(toy, tmp_path):
    vault = Vault(tmp_path / "vault")
    with_seed = Trial("forest", "forest.forest_model", {"n_estimators": 5})
    results = run(toy, vault, BASE, leaves(8, expect=0.1), leaves(1, expect=0.2))
    assert results[2].failed  # a tree has two leaves or more
    run(toy, vault, with_seed, seed=7)  # the newest run is on other folds
    log = stored_log(vault, "toy", [with_seed, leaves(30)])
    by_name = {entry.trial.name: entry for entry in log}
    assert list(by_name) == ["forest", "30 leaves", "base", "8 leaves", "1 leaves"]
    assert by_name["30 leaves"].answer == "not run yet"
    assert by_name["1 leaves"].answer.startswith("failed: ")
    tested = by_name["8 leaves"]
    assert tested.gain.b == "base" and tested.is_predicted and tested.verdict
    assert tested.preds.oof_score == results[1].predictions.oof_score
    assert {tested.version, tested.base_version} <= {r.version for r in vault.runs("toy")}

    run(toy, vault, leaves(8, expect=0.1), seed=7)  # its base has not run on these folds
    entry = next(e for e in stored_log(vault, "toy") if e.trial.name == "8 leaves")
    assert entry.answer == "no answer: its base, base, has no result on the same rows and folds"
    assert [r.oof_score for r in entry.earlier] == [tested.preds.oof_score]


def test_an_expected_gain_of_a_stored_result_is_no_prediction(toy, tmp_path):
    vault = Vault(tmp_path / "vault")
    run(toy, vault, BASE, leaves(8))
    later = leaves(8, expect=0.1)
    assert all(r.reused for r in run(toy, vault, BASE, later))  # nothing trains again
    entry = stored_log(vault, "toy", [BASE, later])[1]
    assert "(declared after it ran)" in entry.answer and not entry.is_predicted


def test_an_older_version_of_a_trial_can_be_its_base(toy, tmp_path):
    """A hypothesis about features: the trial stays the same, and data.py changes."""
    vault = Vault(tmp_path / "vault")
    run(toy, vault, BASE)
    (toy.folder / "data.py").write_text(
        "from pathlib import Path\nfrom fastkaggle_plus import load_comp\n\n"
        "def read(path):\n    data = load_comp(Path(__file__).parent).read_files(path)\n"
        '    parts = [p[["b", "c"]] for p in (data.raw_train, data.raw_test)]\n'
        '    return data.with_features(*parts, cat_names=(), cont_names=("b", "c"))\n'
    )
    idea = replace(BASE, hypothesis="a is noise", base="base@before", expect=0.0)
    run(toy, vault, idea)
    [entry] = stored_log(vault, "toy", [idea])
    assert entry.verdict == "worse" and entry.outcome == "less than expected"
    assert entry.change == "features, code" and entry.base_version == entry.earlier[0].version


def test_a_base_that_was_chosen_for_its_score_does_not_make_others_worse():
    """Of 40 logs whose base is always the best trial so far, about 5% may have a verdict."""
    rng, wrong, unadjusted = np.random.default_rng(1), 0, 0
    for _ in range(40):
        results = [result(leaves(n), 0.8, seed=rng.integers(1e9)) for n in range(3, 15)]
        best = max(results, key=lambda r: r.predictions.oof_score)
        others = [
            TrialResult(replace(r.trial, base=best.name), r.predictions)
            for r in results
            if r is not best
        ]
        log = hypothesis_log([TrialResult(replace(best.trial, base=""), best.predictions), *others])
        wrong += any(e.verdict in ("better", "worse") for e in log)
        unadjusted += any(e.gain and e.gain.p_value < 0.05 for e in log)
    assert wrong <= 6 and unadjusted > 20
