"""Ensembles join by id and class, and their score is honest."""

import dataclasses
import json

import numpy as np
import pytest

from fastkaggle_plus.ensembling import ensemble, write_lock
from fastkaggle_plus.exceptions import DataError, SelectionError, UnknownName
from fastkaggle_plus.predictions import Predictions

from ..making import make_predictions, make_values


def members(count=4, **kw):
    return [make_predictions(f"m{i}", seed=i, **kw) for i in range(count)]


def test_mean_is_the_mean_of_probabilities():
    both = members(2)
    result = ensemble(both)
    np.testing.assert_allclose(result.oof, (both[0].oof + both[1].oof) / 2)
    np.testing.assert_allclose(result.test, (both[0].test + both[1].test) / 2)
    assert (
        result.about["weights"] == {"m0": 0.5, "m1": 0.5}
        and result.about["nested_score"] == result.oof_score
    )


def test_independent_members_beat_each_of_them():
    many = members(9, n=2000, right=0.7)
    assert ensemble(many).oof_score > max(m.oof_score for m in many) + 0.05


def shuffled(preds, seed=1):
    """The same predictions with rows, test rows and classes in another order."""
    rng = np.random.default_rng(seed)
    rows, test_rows, columns = (
        rng.permutation(n) for n in (len(preds.ids), len(preds.test_ids), preds.oof.shape[1])
    )
    return dataclasses.replace(
        preds,
        ids=preds.ids[rows],
        targs=np.argsort(columns)[preds.targs[rows]] if preds.vocab else preds.targs[rows],
        oof=preds.oof[rows][:, columns],
        folds=preds.folds[rows],
        test_ids=preds.test_ids[test_rows],
        test=preds.test[test_rows][:, columns],
        vocab=tuple(preds.vocab[i] for i in columns) if preds.vocab else (),
    )


METHOD_OPTIONS = [
    dict(method="mean"),
    dict(method="weighted", weights={"m1": 2.0, "m2": 0.7}),
    dict(method="rank"),
    dict(method="greedy"),
]


@pytest.mark.parametrize("options", METHOD_OPTIONS, ids=lambda o: o["method"])
@pytest.mark.parametrize(
    "vocab", [("ant", "bee", "cat", "dog"), tuple(range(12))], ids=["words", "numbers"]
)
def test_the_order_of_rows_classes_and_members_does_not_matter(options, vocab):
    ms = members(3, vocab=vocab, metric="log_loss", right=0.6)
    plain = ensemble(ms, **options)
    for others in (
        [ms[0], shuffled(ms[1]), ms[2]],
        [shuffled(ms[0], 2), ms[1], shuffled(ms[2], 3)],
        [ms[2], shuffled(ms[1]), ms[0]],
    ):
        found = ensemble(others, **options)
        assert (
            found.about["weights"] == plain.about["weights"]
            and found.vocab == others[0].vocab
            and found.ids.tolist() == others[0].ids.tolist()
        )
        again = found.aligned(plain.ids, plain.test_ids, plain.vocab)
        for k in ("oof", "test"):
            np.testing.assert_allclose(getattr(again, k), getattr(plain, k), rtol=0, atol=1e-12)
        np.testing.assert_array_equal(again.targs, plain.targs)
        np.testing.assert_array_equal(again.folds, plain.folds)


def test_equal_members_are_chosen_by_name():
    a = make_predictions("m0", vocab=("ant", "bee", "cat"), metric="log_loss")
    ms = [
        a,
        dataclasses.replace(a, name="m1"),
        make_predictions("m2", vocab=a.vocab, metric="log_loss", seed=3, right=0.6),
    ]
    weights = ensemble(ms, method="greedy").about["weights"]
    for seed in range(5):
        assert (
            ensemble(
                [shuffled(ms[1], seed), shuffled(ms[2], seed + 1), ms[0]], method="greedy"
            ).about["weights"]
            == weights
        )


def test_values_are_joined_by_id():
    ms = [make_values(f"m{i}", seed=i) for i in range(3)]
    for method in ("mean", "greedy"):
        plain, found = (
            ensemble(ms, method=method),
            ensemble([shuffled(ms[0]), ms[1], shuffled(ms[2], 2)], method=method),
        )
        np.testing.assert_allclose(
            found.aligned(plain.ids, plain.test_ids, ()).test, plain.test, rtol=0, atol=1e-12
        )


def test_repeated_ids_are_accepted_only_in_the_same_order():
    a, b = (dataclasses.replace(m, ids=np.arange(200) // 2) for m in members(2))
    np.testing.assert_allclose(ensemble([a, b]).oof, (a.oof + b.oof) / 2)
    with pytest.raises(DataError, match="m1 has 100 ids more than once"):
        ensemble([a, shuffled(b)])


def test_ranks_of_values_are_refused_for_metrics_of_values():
    with pytest.raises(
        DataError, match=r"rmse compares them with the targets.*auc, pearson, spearman"
    ):
        ensemble([make_values("a"), make_values("b", seed=1)], method="rank")
    for metric in ("pearson", "spearman"):
        assert (
            ensemble(
                [make_values(n, seed=i, metric=metric) for i, n in enumerate("ab")], method="rank"
            ).oof_score
            > 0.9
        )


def test_weights_are_given_in_the_order_of_the_members():
    a, b = make_predictions("m0", seed=1), make_predictions("m1", seed=2)
    found = ensemble([b, a], weights=[0.7, 0.3])
    assert found.about["weights"] == {"m1": 0.7, "m0": 0.3}
    assert np.allclose(found.test, 0.7 * b.test + 0.3 * a.test)
    for weights in ([0.7], [0.5, 0.3, 0.2]):
        with pytest.raises(DataError, match="each of the 2 members, got"):
            ensemble([a, b], weights=weights)
    for weights in ([-1, 2], [0, 0]):
        with pytest.raises(DataError, match="positive sum"):
            ensemble([a, b], weights=weights)


def test_weights_are_given_by_name():
    a, b = members(2)
    np.testing.assert_allclose(
        ensemble([a, b], method="weighted", weights={"m1": 3, "m0": 1}).oof,
        0.25 * a.oof + 0.75 * b.oof,
    )
    twice = ensemble([a, b], weights={"m1": 2.0})
    np.testing.assert_allclose(twice.test, (a.test + 2 * b.test) / 3)
    assert twice.about["method"] == "weighted" and twice.about["weights"] == {
        "m0": 0.333333,
        "m1": 0.666667,
    }
    np.testing.assert_array_equal(
        ensemble([shuffled(b), a], weights={"m1": 2.0}).aligned(a.ids, a.test_ids, a.vocab).test,
        twice.test,
    )
    with pytest.raises(UnknownName, match=r"Unknown ensemble member 'm11'. Did you mean 'm1'"):
        ensemble([a, b], weights={"m11": 1})
    for options, words in (
        (dict(method="weighted"), "needs weights"),
        (dict(method="greedy", weights={"m0": 1}), "fits its own"),
        (dict(weights={"m0": -1}), "zero or more"),
        (dict(weights={"m0": np.nan}), "zero or more"),
    ):
        with pytest.raises(DataError, match=words):
            ensemble([a, b], **options)


def test_greedy_drops_bad_members_and_has_a_nested_score():
    good, bad = (
        make_predictions("good", right=0.85, n=1000),
        make_predictions("bad", right=0.2, n=1000, seed=5),
    )
    result = ensemble([bad, good], method="greedy")
    assert result.about["weights"]["bad"] == 0 and result.oof_score == pytest.approx(good.oof_score)


def test_greedy_on_noise_has_an_honest_score():
    noise = [make_predictions(f"n{i}", right=0.5, n=300, seed=i) for i in range(30)]
    result = ensemble(noise, method="greedy")
    fitted = ensemble(noise, method="weighted", weights=result.about["weights"])
    assert (
        fitted.oof_score > result.about["nested_score"] + 0.02
        and result.about["nested_score"] < 0.56
    )


def test_rank_does_not_care_about_scale():
    a, b = make_values("a", metric="spearman"), make_values("b", seed=1, metric="spearman")
    loud = dataclasses.replace(b, oof=np.exp(3 * b.oof), test=np.exp(3 * b.test))
    np.testing.assert_allclose(
        ensemble([a, loud], method="rank").oof, ensemble([a, b], method="rank").oof
    )


def test_dropping_members_on_their_own_score_is_refused():
    with pytest.raises(SelectionError, match="auto"):
        ensemble(members(), keep_best=2)


@pytest.mark.parametrize(
    "broken, words",
    [
        (lambda ms: [], "at least one"),
        (lambda ms: [ms[0], ms[0]], "one name"),
        (lambda ms: [ms[0], dataclasses.replace(ms[1], metric="auc")], "one metric"),
        (lambda ms: [ms[0], make_predictions("other", n=100)], "other rows"),
        (
            lambda ms: [ms[0], dataclasses.replace(ms[1], targs=1 - ms[1].targs)],
            "different targets",
        ),
        (
            lambda ms: [ms[0], dataclasses.replace(ms[1], test_ids=ms[1].test_ids + 1)],
            r"m1 has other rows: 20 ids against 20, without \[1000\]",
        ),
        (
            lambda ms: [ms[0], dataclasses.replace(ms[1], folds=np.arange(200) // 40)],
            r"m1 was validated on other folds than m0\. Make the folds once",
        ),
        (
            lambda ms: [
                ms[0],
                dataclasses.replace(ms[1], folds=np.where(np.arange(200) % 5, -1, 0)),
            ],
            "other folds",
        ),
        (
            lambda ms: [ms[0], dataclasses.replace(ms[1], vocab=(0, 2))],
            r"m1 has the classes 0, 2, expected 0, 1: only one of the two has 1, 2",
        ),
        (
            lambda ms: [
                make_predictions("three", vocab=("ant", "bee", "cat")),
                make_predictions("two", vocab=("ant", "bee")),
            ],
            "two has the classes ant, bee, expected ant, bee, cat: only one of the two has cat",
        ),
    ],
)
def test_members_that_do_not_match_are_refused(broken, words):
    with pytest.raises(DataError, match=words):
        ensemble(broken(members()))


def test_folds_may_be_numbered_differently():
    a, b = members(2)
    np.testing.assert_array_equal(
        ensemble([a, dataclasses.replace(b, folds=4 - b.folds)], method="greedy").oof,
        ensemble([a, b], method="greedy").oof,
    )


def test_the_lock_depends_on_the_content_of_members(tmp_path):
    a, b = members(2)
    first = json.loads(write_lock(ensemble([a, b]), [a, b], tmp_path / "ensemble.lock").read_text())
    changed = dataclasses.replace(b, oof=b.oof[::-1])
    second = json.loads(
        write_lock(ensemble([a, b]), [a, changed], tmp_path / "other.lock").read_text()
    )
    assert (
        first["members"]["m0"] == second["members"]["m0"]
        and first["members"]["m1"] != second["members"]["m1"]
    )
    assert first["weights"] == {"m0": 0.5, "m1": 0.5}


def test_on_a_holdout_greedy_weights_are_refused():
    held = np.arange(200) % 4 == 0
    both = [
        dataclasses.replace(
            m, folds=np.where(held, 0, -1), oof=np.where(held[:, None], m.oof, np.nan)
        )
        for m in members(2)
    ]
    for options in ({}, {"method": "rank"}, {"method": "weighted", "weights": {"m0": 2, "m1": 1}}):
        result = ensemble(both, **options)
        assert (
            result.validated.sum() == 50
            and result.about["nested_score"] == result.oof_score > 0.5
            and len(result.test) == 20
        )
    with pytest.raises(DataError, match="one declared holdout has none left over"):
        ensemble(both, method="greedy")


@pytest.mark.parametrize(
    "change", (lambda b: 1000 * b, lambda b: 0.001 * b, lambda b: b - 7, lambda b: 0.5 + 1e-6 * b)
)
@pytest.mark.parametrize("metric", ("pearson", "spearman"))
def test_scale_does_not_change_greedy_weights_for_correlations(metric, change):
    rng = np.random.default_rng(0)
    targs, folds, ids = rng.random(300), rng.integers(0, 5, 300), np.arange(300)
    one, other = (targs + rng.normal(0, s, 300) for s in (0.25, 0.28))

    def member(name, oof):
        return Predictions(
            name,
            metric,
            "regression",
            (),
            ids,
            targs,
            oof[:, None],
            folds,
            ids[:50],
            oof[:50, None],
        )

    plain = ensemble([member("one", one), member("other", other)], method="greedy")
    odd = ensemble([member("one", one), member("other", change(other))], method="greedy")
    assert (
        odd.oof_score == pytest.approx(plain.oof_score, abs=1e-6)
        and odd.oof_score > member("one", one).oof_score + 0.03
    )
    assert np.corrcoef(odd.test[:, 0], plain.test[:, 0])[0, 1] > 0.999999
    by_hand = odd.about["weights"]["one"] * one + odd.about["weights"]["other"] * change(other)
    assert np.corrcoef(by_hand[:50], odd.test[:, 0])[0, 1] > 0.999


@pytest.mark.parametrize("value", (0.0, 0.1, 7.0))
def test_a_constant_member_changes_no_greedy_weight(value):
    rng = np.random.default_rng(1)
    targs, folds, ids = rng.random(300), rng.integers(0, 5, 300), np.arange(300)

    def member(name, oof):
        return Predictions(
            name,
            "pearson",
            "regression",
            (),
            ids,
            targs,
            oof[:, None],
            folds,
            ids[:50],
            oof[:50, None],
        )

    good, flat = (
        member("good", targs + rng.normal(0, 0.3, 300)),
        member("flat", value * (1 + rng.normal(0, 1e-16, 300))),
    )
    both = ensemble([good, flat], method="greedy")
    assert both.about["weights"] == {"good": 1.0, "flat": 0.0} and both.oof_score == pytest.approx(
        good.oof_score
    )
    assert np.isfinite(ensemble([flat], method="greedy").test).all()
