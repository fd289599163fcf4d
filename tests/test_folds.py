"""Splits: every row once, groups together, time in order, classes balanced; and errors."""

import numpy as np
import pytest

from fastkaggle_plus.exceptions import DataError, UnknownName
from fastkaggle_plus.folds import KINDS, dependent_rows, make_folds

RNG = np.random.default_rng(3)
N = 240
CODES = RNG.choice(3, N, p=[0.7, 0.2, 0.1])
VALUES = RNG.gamma(2, 3, N)
GROUPS = np.array([f"g{i:02d}" for i in RNG.integers(0, 40, N)], dtype=object)
TIME = RNG.integers(0, 60, N)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "targs",
    [CODES, VALUES, np.column_stack([VALUES, VALUES])],
    ids=["codes", "values", "two values"],
)
def test_every_row_is_validated_once_by_models_that_did_not_see_it(kind, targs):
    folds = make_folds(targs, n_folds=4, kind=kind, groups=GROUPS, time=TIME)
    assert folds.n_folds == 4 and len(folds) == N and folds.kind == kind
    validated = np.concatenate([valid for _, valid in folds.splits()])
    assert len(set(validated)) == len(validated) == (folds.assignment >= 0).sum()
    for fit, valid in folds.splits():
        assert len(fit) and len(valid) and not set(fit) & set(valid)
    if kind != "time":
        assert len(validated) == N


@pytest.mark.parametrize("kind", KINDS)
def test_the_seed_decides(kind):
    def made(seed):
        return make_folds(CODES, kind=kind, groups=GROUPS, time=TIME, seed=seed)

    assert made(1).fingerprint() == made(1).fingerprint()
    assert (made(1).assignment == np.asarray(made(1))).all()
    if kind != "time":  # time has one order
        assert made(1).fingerprint() != made(2).fingerprint()


def test_the_fingerprint_depends_on_the_kind():
    folds = make_folds(CODES, kind="random")
    assert folds.fingerprint() != type(folds)(folds.assignment, "group", folds.seed).fingerprint()


def test_classes_are_even_by_default_and_values_are_not_stratified():
    folds = make_folds(CODES)
    assert folds.kind == "stratified"
    for c in range(3):
        counts = np.bincount(folds.assignment[CODES == c], minlength=5)
        assert np.ptp(counts) <= 1
    assert make_folds(VALUES).kind == "random"


def test_stratified_values_give_each_fold_low_and_high_ones():
    deciles = np.digitize(VALUES, np.quantile(VALUES, np.linspace(0, 1, 11)[1:-1]))
    even, chance = (make_folds(VALUES, kind=k, n_folds=5) for k in ("stratified", "random"))
    uneven = [
        max(np.ptp(np.bincount(f.assignment[deciles == d], minlength=5)) for d in range(10))
        for f in (even, chance)
    ]
    assert uneven[0] <= 1 < uneven[1]


@pytest.mark.parametrize("kind", ["stratified", "stratified-group"])
def test_few_levels_are_stratified_even_if_rare(kind):
    scores = np.random.default_rng(0).permutation(
        np.repeat([0, 0.25, 0.5, 0.75, 1], [1000, 700, 220, 50, 30])
    )  # nine of ten quantiles are 0 or 0.25
    folds = make_folds(scores, kind=kind, groups=np.arange(2000) // 4)
    for score, n in zip([0.5, 0.75, 1], [220, 50, 30], strict=True):
        assert np.ptp(np.bincount(folds.assignment[scores == score], minlength=5)) <= (
            1 if kind == "stratified" else 0.05 * n + 2
        )


@pytest.mark.parametrize("kind", ["group", "stratified-group"])
def test_groups_stay_whole(kind):
    folds = make_folds(CODES, kind=kind, groups=GROUPS)
    for fit, valid in folds.splits():
        assert not set(GROUPS[fit]) & set(GROUPS[valid])
    assert np.bincount(folds.assignment).min() > N / 10  # and the folds are of some size


def test_time_trains_on_the_past_and_keeps_equal_times_together():
    shuffled = RNG.permutation(N)
    folds = make_folds(VALUES[shuffled], kind="time", time=TIME[shuffled], n_folds=5)
    assert (folds.assignment == -1).any()
    for fit, valid in folds.splits():
        assert TIME[shuffled][fit].max() < TIME[shuffled][valid].min()
    days = np.datetime64("2020-01-01") + TIME.astype("timedelta64[D]")
    assert (
        make_folds(VALUES, kind="time", time=days).assignment
        == make_folds(VALUES, kind="time", time=TIME).assignment
    ).all()


def test_time_with_few_distinct_values():
    time = np.repeat([2021, 2022, 2023], N // 3)
    folds = make_folds(VALUES, kind="time", time=time, n_folds=2)
    assert [len(fit) for fit, _ in folds.splits()] == [N // 3, 2 * N // 3]
    with pytest.raises(DataError, match="5 folds along time need at least 6 different times"):
        make_folds(VALUES, kind="time", time=time, n_folds=5)
    with pytest.raises(DataError, match="two different times"):
        make_folds(VALUES, kind="time", time=np.ones(N))


def test_many_equal_times_do_not_cost_folds():
    """Most rows have the time 0; six different times are enough for five folds."""
    time = np.concatenate([np.zeros(N - 50), np.repeat([1, 2, 3, 4, 5], 10)])
    folds = make_folds(VALUES, kind="time", time=time, n_folds=5)
    assert folds.n_folds == 5 and np.bincount(folds.assignment + 1).tolist() == [N - 50, *[10] * 5]
    ten = make_folds(VALUES, kind="time", time=np.arange(N) // (N // 10), n_folds=4)
    assert np.bincount(ten.assignment + 1).min() >= N // 10


def test_a_large_group_does_not_double_a_holdout():
    """One group has 65% of the rows; 20% can be held out of the others."""
    groups = np.concatenate([np.zeros(650), np.arange(350) // 7 + 1]).astype(int)
    targs = np.random.default_rng(0).integers(0, 2, 1000)
    for kind in ("group", "stratified-group"):
        held = [
            (make_folds(targs, holdout=0.2, kind=kind, groups=groups, seed=s).assignment == 0)
            for s in range(20)
        ]
        assert all(0.1 <= h.mean() <= 0.3 for h in held)
        assert len({h.tobytes() for h in held}) > 10


def test_dependent_rows_are_groups_or_blocks_of_time():
    folds = make_folds(VALUES, kind="time", time=TIME, n_folds=5)
    blocks = dependent_rows(folds, groups=None, time=TIME)
    validated = folds.assignment >= 0
    assert len(np.unique(blocks[validated])) == 20
    assert (np.diff(blocks[np.argsort(TIME, kind="stable")]) >= 0).all()
    assert dependent_rows(make_folds(VALUES), groups=None, time=TIME) is None
    codes = dependent_rows(folds, groups=GROUPS, time=TIME)
    assert len(np.unique(codes)) == len(np.unique(GROUPS))


def test_a_class_smaller_than_the_folds_gives_no_warning(recwarn):
    codes = np.array([0] * 30 + [1] * 30 + [2] * 2)
    folds = make_folds(codes, n_folds=5)
    assert (np.bincount(folds.assignment[codes == 2], minlength=5) <= 1).all()
    assert not recwarn.list


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(kind="group"), "needs `groups`.*got none"),
        (dict(kind="time"), "needs `time`.*got none"),
        (dict(kind="group", groups=GROUPS[:5]), f"each of the {N} rows, got 5"),
        (
            dict(kind="group", groups=np.repeat(["a", "b"], N // 2)),
            "as many groups, and there are 2",
        ),
        (dict(n_folds=1), "between 2 and the number of rows"),
        (dict(n_folds=N + 1), "between 2 and the number of rows"),
    ],
)
def test_errors_name_the_value(options, message):
    with pytest.raises(DataError, match=message):
        make_folds(VALUES, **options)


def test_an_impossible_stratification_says_what_to_do():
    with pytest.raises(DataError, match="is not possible"):
        make_folds(np.arange(6), kind="stratified", n_folds=3)


def test_unknown_kind_has_near_matches():
    with pytest.raises(UnknownName, match="Did you mean 'stratified'"):
        make_folds(CODES, kind="stratifed")


def test_groups_may_be_words_numbers_and_gaps_at_once():
    mixed = np.array([3, "(missing)", 2.5, "b", None, 7] * 40, dtype=object)
    folds = make_folds(CODES, n_folds=3, kind="group", groups=mixed)
    assert all(
        len(set(folds.assignment[[v is g or v == g for v in mixed]])) == 1 for g in mixed[:6]
    )


def test_sklearn_gets_the_groups_as_numbers(monkeypatch):
    from sklearn import model_selection

    seen = []
    split = model_selection.GroupKFold.split
    monkeypatch.setattr(
        model_selection.GroupKFold,
        "split",
        lambda self, x, y, groups: seen.append(groups) or split(self, x, y, groups),
    )
    make_folds(CODES, kind="group", groups=GROUPS)
    assert np.issubdtype(
        seen[0].dtype, np.integer
    )  # with words 30,000 groups take it half a minute


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.2, 0.15, 0.5])
def test_a_holdout_follows_the_kind_of_split(kind, share):
    folds = make_folds(CODES, holdout=share, kind=kind, groups=GROUPS, time=TIME, seed=1)
    [(fit, held)] = folds.splits()
    assert (
        folds.n_folds == 1
        and sorted([*fit, *held]) == list(range(N))
        and len(held) / N == pytest.approx(share, abs=0.06)
    )
    if kind.startswith("stratified"):
        assert np.bincount(CODES[held], minlength=3) / len(held) == pytest.approx(
            np.bincount(CODES) / N, abs=0.06
        )
    if kind.endswith("group"):
        assert not set(GROUPS[fit]) & set(GROUPS[held])
    if kind == "time":
        assert TIME[fit].max() < TIME[held].min()
    else:
        assert (
            folds.fingerprint()
            != make_folds(CODES, holdout=share, kind=kind, groups=GROUPS, seed=2).fingerprint()
        )
    assert (
        folds.fingerprint()
        == make_folds(
            CODES, holdout=share, kind=kind, groups=GROUPS, time=TIME, seed=1
        ).fingerprint()
    )


def test_a_holdout_of_classes_is_exact_and_stratified_by_default():
    folds = make_folds(np.repeat([0, 1], [80, 20]), holdout=0.25)
    assert folds.kind == "stratified" and np.bincount(
        np.repeat([0, 1], [80, 20])[folds.assignment == 0]
    ).tolist() == [20, 5]


def test_a_rare_class_is_in_both_parts_of_a_holdout():
    codes = np.repeat(range(4), [100, 10, 2, 1])
    counts = [
        np.bincount(codes[make_folds(codes, holdout=0.5, seed=s).assignment == 0], minlength=4)
        for s in range(5)
    ]
    assert all(abs(c[0] - 50) <= 1 and abs(c[1] - 5) <= 1 and c[2] == 1 for c in counts)


def test_a_holdout_with_few_groups_or_times_takes_whole_ones():
    assert sorted(
        set(
            make_folds(
                CODES, holdout=0.2, kind="group", groups=np.repeat(["a", "b"], N // 2)
            ).assignment.tolist()
        )
    ) == [-1, 0]
    years = np.repeat([2021, 2022], [N // 3, N - N // 3])
    assert (
        make_folds(CODES, holdout=0.2, kind="time", time=years).assignment
        == np.where(years == 2022, 0, -1)
    ).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(holdout=0), "between 0.01 and 0.9, got 0"),
        (dict(holdout=20), "got 20"),
        (dict(holdout=0.2, kind="group"), "needs `groups`.*got none"),
        (dict(holdout=0.2, kind="time", time=np.ones(N)), "two different times"),
        (dict(holdout=0.2, kind="group", groups=np.ones(N)), "as many groups, and there are 1"),
    ],
)
def test_an_impossible_holdout_is_explained(options, message):
    with pytest.raises(DataError, match=message):
        make_folds(VALUES, **options)
