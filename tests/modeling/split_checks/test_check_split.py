"""Checks of a split: each planted leak or shift is found by its column, and clean data is quiet."""

import numpy as np
import pandas as pd
import pytest

from fastkaggle_plus.folds import make_folds
from fastkaggle_plus.modeling import check_split, copy_groups, split_advice
from fastkaggle_plus.modeling.split_checks.near_copies import text_pairs

from ...benchmarks.calibration_parts.doctor import IDS, TASKS, as_data, clean_findings
from . import planted

_FOUND: dict[str, object] = {}


@pytest.fixture
def checked(tmp_path_factory):
    """Return the data, the folds and the findings of a maker; each is checked once."""

    def check(maker):
        if maker.__name__ not in _FOUND:
            data = maker(tmp_path_factory.mktemp(maker.__name__))
            folds = planted.folds_of(data)
            _FOUND[maker.__name__] = data, folds, check_split(data, folds)
        return _FOUND[maker.__name__]

    return check


@pytest.mark.parametrize("maker", [pytest.param(m, id=m.__name__) for m in planted.PLANTED])
def test_what_was_planted_is_found_with_its_column(maker, checked):
    *_, found = checked(maker)
    named = [(f.kind, f.column) for f in found]
    for kind, column in planted.PLANTED[maker]:
        assert any(k == kind and column in c for k, c in named), named
    assert all(f.do for f in found if not f.is_note)
    assert "severity" in repr(found) and "<table" in found._repr_html_()


@pytest.mark.parametrize(
    "maker",
    [planted.target_copy, planted.copied_rows, planted.groups, planted.later],
    ids=lambda m: m.__name__,
)
def test_what_makes_scores_too_good_is_severe_and_measured(maker, checked):
    data, _, found = checked(maker)
    first = found[0]
    assert first.kind == planted.PLANTED[maker][0][0] and first.severity == "severe"
    assert first.effect.gain > 0 and first.effect.p_value < 0.05
    assert f"too good ({data.metric} " in first.measured
    row = first.as_json()
    assert row["gain"] == first.effect.gain and row["effect"] == first.measured


def test_the_advised_split_of_groups_and_of_time_leaves_nothing_to_do(checked):
    data, _, found = checked(planted.groups)
    assert split_advice(found) == '[split]\nkind = "stratified-group"\ncolumn = "patient"'
    folds = make_folds(data.targs, kind="stratified-group", groups=data.raw_train["patient"])
    assert "groups across folds" not in {f.kind for f in check_split(data, folds)}
    data, _, found = checked(planted.later)
    assert split_advice(found) == '[split]\nkind = "time"\ncolumn = "sold"'
    folds = make_folds(data.targs, kind="time", time=pd.to_datetime(data.raw_train["sold"]))
    assert [f for f in check_split(data, folds) if not f.is_note] == []


def test_copies_in_one_fold_do_no_harm(checked):
    data, _, _ = checked(planted.copied_rows)
    groups = copy_groups(data)
    assert len(np.unique(groups)) == planted.N // 2
    folds = make_folds(data.targs, n_folds=4, kind="stratified-group", groups=groups)
    assert [f.kind for f in check_split(data, folds)] == []


def test_copies_in_test_too_are_no_fault_of_the_split():
    """Whole rows are drawn with replacement: test rows have as many copies as validation rows."""
    frame = planted.table(n=300).sample(planted.N + planted.N_TEST, replace=True, random_state=0)
    data = as_data(frame, planted.N, "binary")
    kinds = {f.kind for f in check_split(data, planted.folds_of(data))}
    assert "train rows in test" in kinds and "copies of rows across folds" not in kinds


def test_rows_of_few_categories_are_equal_by_chance():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.integers(0, 3, (500, 4)), columns=list("abcd")).astype(str)
    data = as_data(frame.assign(y=rng.integers(0, 2, 500)), 300, "binary")
    assert len(np.unique(copy_groups(data))) < 90
    assert list(check_split(data, make_folds(data.targs))) == []


def test_clean_tables_are_quiet():
    """The rate is measured in tests/benchmarks/calibration_parts/doctor.py."""
    rng = np.random.default_rng(1)
    found = [clean_findings(rng, task, ids) for task in TASKS for ids in IDS[:2]]
    assert sum(map(bool, found)) <= 1, found


def test_texts_are_compared_by_groups_of_letters():
    one = "the quick brown fox jumps over the lazy dog near the bank of the river in summer"
    texts = [one, one.upper() + "!", one[:-1], "something else entirely", "", ""]
    codes = text_pairs(texts).clusters()
    assert codes[0] == codes[1] == codes[2] and len(set(codes)) == 4
