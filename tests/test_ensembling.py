"""Ensembles join by id and class, and their score is honest."""

import dataclasses
import json

import numpy as np
import pytest

from fastkaggle_plus.ensembling import ensemble, write_lock
from fastkaggle_plus.exceptions import DataError, SelectionError, UnknownName

from .making import make_predictions, make_values


def members(count=4, **kw):
    return [make_predictions(f"m{i}", seed=i, **kw) for i in range(count)]


def test_mean_is_the_mean_of_probabilities():
    both = members(2)
    result = ensemble(both)
    np.testing.assert_allclose(result.oof, (both[0].oof + both[1].oof) / 2)
    np.testing.assert_allclose(result.test, (both[0].test + both[1].test) / 2)
    assert result.about["weights"] == {"m0": 0.5, "m1": 0.5} and result.about["nested_score"] == result.oof_score


def test_independent_members_beat_each_of_them():
    many = members(9, n=2000, right=0.7)
    assert ensemble(many).oof_score > max(m.oof_score for m in many) + 0.05


def test_permuted_rows_and_classes_give_the_same_ensemble():
    a, b = members(2, vocab=("ant", "bee", "cat"))
    rows, test_rows, columns = np.random.default_rng(1).permutation(200), np.random.default_rng(2).permutation(20), [2, 0, 1]
    shuffled = dataclasses.replace(b, ids=b.ids[rows], targs=np.argsort(columns)[b.targs[rows]], oof=b.oof[rows][:, columns], folds=b.folds[rows],
                                   test_ids=b.test_ids[test_rows], test=b.test[test_rows][:, columns], vocab=tuple(b.vocab[i] for i in columns))
    np.testing.assert_allclose(ensemble([a, shuffled]).oof, ensemble([a, b]).oof)
    np.testing.assert_allclose(ensemble([a, shuffled]).test, ensemble([a, b]).test)


def test_ranks_of_values_are_refused_where_the_values_count():
    with pytest.raises(DataError, match=r"rmse compares them with the targets.*auc, pearson, spearman"):
        ensemble([make_values("a"), make_values("b", seed=1)], method="rank")
    for metric in ("pearson", "spearman"):
        assert ensemble([make_values(n, seed=i, metric=metric) for i, n in enumerate("ab")], method="rank").oof_score > 0.9


def test_weights_go_by_name():
    a, b = members(2)
    np.testing.assert_allclose(ensemble([a, b], method="weighted", weights={"m1": 3, "m0": 1}).oof, 0.25 * a.oof + 0.75 * b.oof)
    with pytest.raises(UnknownName, match="m1"):
        ensemble([a, b], method="weighted", weights={"m11": 1})
    with pytest.raises(DataError, match="weights"):
        ensemble([a, b], weights={"m0": 1})


def test_greedy_leaves_out_what_hurts_and_is_scored_on_rows_that_did_not_fit_it():
    good, bad = make_predictions("good", right=0.85, n=1000), make_predictions("bad", right=0.2, n=1000, seed=5)
    result = ensemble([bad, good], method="greedy")
    assert result.about["weights"]["bad"] == 0 and result.oof_score == pytest.approx(good.oof_score)


def test_greedy_on_pure_noise_does_not_flatter_itself():
    noise = [make_predictions(f"n{i}", right=0.5, n=300, seed=i) for i in range(30)]
    result = ensemble(noise, method="greedy")
    fitted = ensemble(noise, method="weighted", weights=result.about["weights"])
    assert fitted.oof_score > result.about["nested_score"] + 0.02 and result.about["nested_score"] < 0.56


def test_rank_does_not_care_about_scale():
    a, b = make_values("a", metric="spearman"), make_values("b", seed=1, metric="spearman")
    loud = dataclasses.replace(b, oof=np.exp(3 * b.oof), test=np.exp(3 * b.test))
    np.testing.assert_allclose(ensemble([a, loud], method="rank").oof, ensemble([a, b], method="rank").oof)


def test_dropping_members_on_their_own_score_is_refused():
    with pytest.raises(SelectionError, match="greedy"):
        ensemble(members(), keep_best=2)


@pytest.mark.parametrize("broken, words", [
    (lambda ms: [], "at least one"),
    (lambda ms: [ms[0], ms[0]], "one name"),
    (lambda ms: [ms[0], dataclasses.replace(ms[1], metric="auc")], "different metrics"),
    (lambda ms: [ms[0], make_predictions("other", n=100)], "other rows"),
    (lambda ms: [ms[0], dataclasses.replace(ms[1], targs=1 - ms[1].targs)], "other targets"),
])
def test_what_does_not_fit_together_is_refused(broken, words):
    with pytest.raises(DataError, match=words):
        ensemble(broken(members()))


def test_lock_tells_members_apart_by_content(tmp_path):
    a, b = members(2)
    first = json.loads(write_lock(ensemble([a, b]), [a, b], tmp_path / "ensemble.lock").read_text())
    changed = dataclasses.replace(b, oof=b.oof[::-1])
    second = json.loads(write_lock(ensemble([a, b]), [a, changed], tmp_path / "other.lock").read_text())
    assert first["members"]["m0"] == second["members"]["m0"] and first["members"]["m1"] != second["members"]["m1"]
    assert first["weights"] == {"m0": 0.5, "m1": 0.5}


def test_on_one_declared_holdout_the_mean_is_honest_and_fitted_weights_are_refused():
    held = np.arange(200) % 4 == 0
    both = [dataclasses.replace(m, folds=np.where(held, 0, -1), oof=np.where(held[:, None], m.oof, np.nan)) for m in members(2)]
    for options in ({}, {"method": "rank"}, {"method": "weighted", "weights": {"m0": 2, "m1": 1}}):
        result = ensemble(both, **options)
        assert result.validated.sum() == 50 and result.about["nested_score"] == result.oof_score > 0.5 and len(result.test) == 20
    with pytest.raises(DataError, match="one declared holdout has none left over"):
        ensemble(both, method="greedy")
