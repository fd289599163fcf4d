"""Group leaks: found, measured and warned of; ordinary categories are no groups."""

import dataclasses
import warnings

import numpy as np
import pandas as pd
import pytest

from fastkaggle_plus.competition import load_comp
from fastkaggle_plus.exceptions import DataError, GroupsOverlap
from fastkaggle_plus.folds import make_folds
from fastkaggle_plus.modeling import cross_validate, find_group_leak, quick_effect, tree_model
from fastkaggle_plus.reading.group_columns import group_candidates
from fastkaggle_plus.reading.tables import read_tabular

PATENTS = load_comp("us-patent-phrase-to-phrase-matching")


@pytest.fixture(scope="module")
def patents(tmp_path_factory):
    """The phrase bank as the competition's files, read by the default reader."""
    bundle = PATENTS.module("rehearsal").make(tmp_path_factory.mktemp("bundle"))
    data = PATENTS.read_files(bundle / "files")
    texts, test_texts = (
        f[["anchor", "target"]].astype(str) for f in (data.raw_train, data.raw_test)
    )
    return dataclasses.replace(
        data,
        train=dataclasses.replace(data.train, texts=texts),
        test=dataclasses.replace(data.test, texts=test_texts),
    )


def patients(*, n_patients=60, n_test=20, visits=8, seed=0):
    """Return visits: age and weight identify the patient, who has a target level."""
    rng = np.random.default_rng(seed)
    of = np.repeat(np.arange(n_patients + n_test), visits)
    frame = pd.DataFrame(
        {
            "patient": of + 1000,
            "age": rng.normal(50, 9, n_patients + n_test)[of],
            "weight": rng.normal(70, 9, n_patients + n_test)[of],
            "pulse": rng.normal(70, 5, len(of)),
        }
    )
    return frame.assign(
        y=rng.normal(size=n_patients + n_test)[of]
        + 0.05 * (frame["pulse"] - 70)
        + 0.3 * rng.normal(size=len(of))
    ), n_patients * visits


def read(folder, frame, n, **facts):
    frame = (
        frame.sample(frac=1, random_state=0)
        if n == len(frame)
        else pd.concat([frame[:n].sample(frac=1, random_state=0), frame[n:]])
    )
    frame = frame.assign(row=range(len(frame)))
    frame[:n].to_csv(folder / "train.csv", index=False)
    frame[n:].drop(columns="y").to_csv(folder / "test.csv", index=False)
    return read_tabular(folder, id="row", target=("y",), task="regression", metric="rmse", **facts)


def warned(data, folds):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        cross_validate(tree_model(max_leaf_nodes=4), data, folds)
    return [str(w.message) for w in caught if issubclass(w.category, GroupsOverlap)]


def test_a_random_split_of_the_patents_scores_too_high(patents):
    leak = find_group_leak(patents, make_folds(patents.targs))
    assert (leak.column, leak.is_named, leak.metric, leak.kind, leak.advice) == (
        "anchor",
        True,
        "pearson",
        "random",
        "stratified-group",
    )
    assert leak.shared > 0.98 and leak.flatters.gain > 0.02 and leak.flatters.p_value < 0.01
    assert leak.split_score - leak.grouped_score == pytest.approx(leak.flatters.gain)
    assert "share their 'anchor' with training rows. This makes scores too good: pearson 0." in str(
        leak
    ) and 'kind = "stratified-group"' in str(leak)
    assert (
        find_group_leak(
            patents, make_folds(patents.targs, kind="stratified-group", groups=patents.groups)
        )
        is None
    )


def test_the_anchor_is_found_without_its_name(patents):
    assert (
        group_candidates(patents.raw_train, patents.raw_test, known=("id", "score"))[0] == "anchor"
    )
    visible = patents.raw_train.head(36).drop(
        columns="score"
    )  # a code competition shows too few test rows to compare
    assert group_candidates(patents.raw_train, visible, known=("id", "score")) == ("anchor",)


def test_the_patents_grouped_split_separates_anchors_and_balances_scores(patents):
    assert PATENTS.split.kind == "stratified-group" and patents.group_name == "anchor"
    anchors = patents.raw_train["anchor"].to_numpy()
    twice = patents.raw_train.groupby("anchor")["context"].nunique()
    folds = make_folds(patents.targs, kind="stratified-group", groups=patents.groups)
    for fit, rows in folds.splits():
        assert not set(anchors[fit]) & set(anchors[rows])
        for score in np.unique(patents.targs):
            assert (patents.targs[rows] == score).mean() == pytest.approx(
                (patents.targs == score).mean(), abs=0.02
            )
    assert (twice > 1).any() and all(
        len(set(folds.assignment[anchors == a])) == 1 for a in twice[twice > 1].index
    )
    [(fit, held)] = make_folds(
        patents.targs, kind="stratified-group", groups=patents.groups, holdout=0.25
    ).splits()
    assert not set(anchors[fit]) & set(anchors[held]) and len(held) / len(anchors) == pytest.approx(
        0.25, abs=0.03
    )
    assert patents.targs[held].mean() == pytest.approx(patents.targs.mean(), abs=0.02)


def test_groups_are_found_by_their_absence_from_test(tmp_path):
    data = read(tmp_path, *patients())
    folds = make_folds(data.targs)
    [message] = warned(data, folds)
    assert (
        "100% of the validation rows share their 'patient'" in message
        and "This makes scores too good: rmse" in message
    )
    assert "groups=data.raw_train['patient']" in message
    assert warned(data, folds) == []  # once
    assert (
        len(warned(dataclasses.replace(data), folds)) == 1
        and len(warned(data, make_folds(data.targs, seed=1))) == 1
    )
    assert (
        warned(data, make_folds(data.targs, kind="group", groups=data.raw_train["patient"])) == []
    )


def test_a_named_group_is_reported_also_without_an_effect(tmp_path):
    frame, n = patients()
    data = read(
        tmp_path,
        frame.assign(patient=np.random.default_rng(1).integers(0, 30, len(frame))),
        n,
        group_column="patient",
    )
    assert data.group_name == "patient"
    [message] = warned(data, make_folds(data.targs))
    assert "shows no effect on its score (rmse" in message and "groups=data.groups" in message
    assert warned(data, make_folds(data.targs, kind="group", groups=data.groups)) == []
    assert warned(data, make_folds(data.targs, kind="time", time=np.arange(n))) == []
    assert find_group_leak(data, make_folds(data.targs, holdout=0.2)).shared > 0.9


def test_a_random_split_is_right_when_test_has_the_same_groups(tmp_path):
    frame, n = patients(n_test=0)
    data = read(tmp_path, frame.sample(frac=1, random_state=1, ignore_index=True), n * 3 // 4)
    assert warned(data, make_folds(data.targs)) == []


def test_ordinary_columns_are_no_groups(tmp_path):
    rng, n = np.random.default_rng(0), 600
    frame = pd.DataFrame(
        {
            "Sex": rng.choice(["male", "female"], n),
            "Pclass": rng.integers(1, 4, n),
            "variety": rng.choice([f"ADT {i}" for i in range(10)], n),
            "town": rng.choice([f"Port {i} North" for i in range(60)], n),
            "age": rng.integers(1, 80, n),
            "fare": rng.normal(size=n).round(1),
        }
    )
    assert group_candidates(frame[:400], frame[400:]) == ()


def test_titanic_has_no_groups():
    """Families share a Ticket, but it has 1.3 rows on average."""
    comp = load_comp("titanic")
    data = comp.read(comp.folder)
    assert group_candidates(data.raw_train, data.raw_test) == ()
    assert warned(data, make_folds(data.targs)) == []


def test_grouped_folds_that_split_a_group_of_the_data_are_refused(tmp_path):
    frame, n = patients()
    data = read(tmp_path, frame, n, group_column="patient")
    folds = make_folds(data.targs, kind="group", groups=np.arange(n) % 50)
    with pytest.raises(DataError, match=r"grouped, but they split 60 of the 60 groups.*'patient'"):
        cross_validate(tree_model(), data, folds)


def test_the_measurement_uses_whole_groups():
    group = np.repeat(np.arange(1000), 50)
    rows = quick_effect.whole_groups(group, 3000)
    assert 2900 < len(rows) <= 3000 and set(np.bincount(group[rows])) <= {0, 50}
    assert len(quick_effect.whole_groups(np.arange(100_000) % 3, 3000)) == 3000
