"""Three bugs of a published notebook cannot happen: text cells, shuffled folds, empty folds."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from fastkaggle_plus.competition import Competition
from fastkaggle_plus.data import Data
from fastkaggle_plus.exceptions import DataError, SubmissionError
from fastkaggle_plus.folds import Folds, make_folds
from fastkaggle_plus.metrics import get_metric
from fastkaggle_plus.modeling import FittedFunction, Model, cross_validate, tree_model
from fastkaggle_plus.submission import check_file, write_submission

from .modeling.tables import make_data

COMP = Competition(slug="toy", task="regression", metric="pearson", id="id", target="score")
SCORES = np.random.default_rng(0).choice([0, 0.25, 0.5, 0.75, 1], 240)
ANCHORS = np.repeat(np.arange(60), 4)


def patents() -> Data:
    data = make_data("regression", metric="pearson")
    return dataclasses.replace(
        data,
        train=dataclasses.replace(data.train, targs=SCORES),
        groups=ANCHORS,
        group_name="anchor",
    )


def shuffled(data: Data, order: np.ndarray) -> Data:
    return dataclasses.replace(
        data,
        train=data.train.take(order),
        ids=data.ids[order],
        groups=data.groups[order],
        raw_train=data.raw_train.iloc[order],
    )


def grouped(data: Data) -> Folds:
    return make_folds(data.targs, kind="stratified-group", groups=data.groups)


# ---- predictions (n, 1) written as text, like "[0.54]", rounded as numpy prints


@pytest.fixture
def sample(tmp_path):
    pd.DataFrame({"id": make_data().test_ids, "score": 0}).to_csv(
        tmp_path / "sample_submission.csv", index=False
    )
    return tmp_path


def test_cells_are_scalars_at_full_precision(sample):
    preds = cross_validate(tree_model(min_samples_leaf=20), patents(), grouped(patents()))
    answers = np.random.default_rng(1).random((len(preds.test_ids), 1))
    with np.printoptions(precision=2):
        file = write_submission(
            dataclasses.replace(preds, test=answers), COMP, sample, file=sample / "submission.csv"
        )
    cells = pd.read_csv(file, dtype=str)["score"]
    assert [float(c) for c in cells] == answers[:, 0].tolist()
    assert check_file(file, COMP, sample)["score"].tolist() == answers[:, 0].tolist()


@pytest.mark.parametrize(
    "as_text",
    [
        str,
        lambda row: str(row.tolist()),
        lambda row: str(tuple(row.tolist()) * 2),
        lambda row: f" {row} ",
    ],
)
def test_cells_of_text_are_refused(sample, as_text):
    answers = np.random.default_rng(1).random((40, 1))
    with np.printoptions(precision=2):
        pd.DataFrame(
            {"id": make_data().test_ids, "score": [as_text(row) for row in answers]}
        ).to_csv(sample / "mine.csv", index=False)
    with pytest.raises(
        SubmissionError,
        match=r"wrong in 40 rows .*holds a list like '.*', where one value belongs.*preds\[:, 0\]",
    ):
        check_file(sample / "mine.csv", COMP, sample)


# ---- rows shuffled after the folds were made: positions that index other rows


def test_folds_of_rows_in_another_order_are_refused():
    data = patents()
    order = np.random.default_rng(0).permutation(240)
    for made_for, handed_to in ((data, shuffled(data, order)), (shuffled(data, order), data)):
        for folds in (
            grouped(made_for),
            make_folds(made_for.targs, kind="stratified"),
            make_folds(made_for.targs, holdout=0.2),
            make_folds(made_for.targs, kind="time", time=np.arange(240)),
        ):
            with pytest.raises(
                DataError, match=r"for other rows, or for these in another order.*Shuffle first"
            ):
                cross_validate(tree_model(), handed_to, folds)
    assert cross_validate(
        tree_model(), shuffled(data, order), grouped(shuffled(data, order))
    ).validated.all()


def test_grouped_folds_that_leak_are_refused():
    data = patents()
    for folds in (
        dataclasses.replace(grouped(data), rows=""),
        Folds(grouped(data).assignment, "group", 0),
    ):
        assert cross_validate(tree_model(), data, folds).validated.all()
        with pytest.raises(
            DataError,
            match=r"they split .* of the 60 groups of this data, the first .* of 'anchor'",
        ):
            cross_validate(
                tree_model(), shuffled(data, np.random.default_rng(0).permutation(240)), folds
            )
    with pytest.raises(
        DataError, match="groups of this data"
    ):  # nor a holdout that takes a part of one
        cross_validate(tree_model(), data, Folds(np.where(np.arange(240) < 50, 0, -1), "group", 0))


def test_folds_accept_other_spellings_of_the_same_targets():
    targs = np.random.default_rng(0).gamma(2, 3, 100)
    rows = make_folds(targs).rows
    assert (
        rows == make_folds(np.log1p(targs)).rows == make_folds(targs[:, None], kind="random").rows
    )
    codes = np.arange(100) % 3
    assert (
        make_folds(codes).rows
        == make_folds(np.array(["ant", "bee", "cat"], dtype=object)[codes], kind="stratified").rows
    )
    assert rows != make_folds(targs[::-1]).rows


def test_the_rows_do_not_change_the_fingerprint_of_a_split():
    folds = make_folds(SCORES, kind="stratified")
    assert folds.rows and folds.fingerprint() == dataclasses.replace(folds, rows="").fingerprint()


# ---- the metric of a fold that was never trained


def numbered(fits: list, fails_at: int = 99) -> Model:
    """A model whose k-th fit answers with a noise of its own."""

    def fit(table):
        if len(fits) == fails_at:
            raise RuntimeError("out of memory")
        fits.append(set(table.x["weight"].dropna()))
        noise = np.random.default_rng(len(fits))
        return FittedFunction(lambda rows: noise.random((len(rows), 1)))

    return Model("numbered", fit)


def test_each_fold_is_scored_by_its_own_training():
    data, fits, told = patents(), [], []
    folds = grouped(data)
    preds = cross_validate(
        numbered(fits), data, folds, on_fold=lambda k, score: told.append((k, score))
    )
    assert len(fits) == 5 and [k for k, _ in told] == list(range(5))
    for k, (_, rows) in enumerate(folds.splits()):
        own = np.random.default_rng(k + 1).random(
            (len(rows), 1)
        )  # what the k-th fit answered first
        np.testing.assert_array_equal(preds.oof[rows], own)
        assert (
            told[k][1] == preds.fold_scores[k] == get_metric("pearson").score(data.targs[rows], own)
        )
        assert not fits[k] & set(data.train.x["weight"].iloc[rows].dropna())


def test_a_second_training_leaves_nothing_of_the_first():
    data, fits = patents(), []
    first, second = (cross_validate(numbered(fits), data, grouped(data)) for _ in range(2))
    assert len(fits) == 10 and not set(first.fold_scores) & set(second.fold_scores)


def test_a_fold_whose_training_fails_has_no_score():
    told = []
    with pytest.raises(RuntimeError, match="out of memory"):
        cross_validate(
            numbered([], fails_at=2),
            patents(),
            grouped(patents()),
            on_fold=lambda k, score: told.append(k),
        )
    assert told == [0, 1]


def test_rows_without_validation_are_in_no_score():
    data, fits = patents(), []
    whole = grouped(data)
    folds = dataclasses.replace(
        whole, assignment=np.where(whole.assignment == 0, 0, -1)
    )  # "fold 0" alone
    preds = cross_validate(numbered(fits), data, folds)
    held = folds.assignment == 0
    assert (
        len(fits) == 1 and np.isnan(preds.oof[~held]).all() and preds.validated.sum() == held.sum()
    )
    assert (
        preds.fold_scores
        == [preds.oof_score]
        == [get_metric("pearson").score(data.targs[held], preds.oof[held])]
    )
    lost = dataclasses.replace(preds, folds=whole.assignment)  # five folds claimed, one trained
    assert (
        lost.oof_score == preds.oof_score
        and lost.fold_scores[0] == preds.oof_score
        and np.isnan(lost.fold_scores[1:]).all()
    )
