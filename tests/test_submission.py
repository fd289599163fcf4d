"""The submission check: every wrong csv is refused with the rows and the correction."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from fastkaggle_plus.competition import Competition
from fastkaggle_plus.exceptions import SubmissionError
from fastkaggle_plus.submission import check_file, check_submission, write_submission

from .making import make_predictions, make_values

SAMPLE = pd.DataFrame({"id": range(1000, 1020), "answer": 0})


def comp(metric="accuracy", task="binary", target="answer", **kw):
    return Competition(slug="toy", task=task, metric=metric, id="id", target=target, **kw)


def save(folder, sample=SAMPLE):
    sample.to_csv(folder / "sample_submission.csv", index=False)
    return folder


def good(**changes):
    frame = SAMPLE.assign(answer=np.arange(20) % 2)
    return frame.assign(**changes) if changes else frame


def put(column, row, value):
    frame = good().astype(object)
    frame[column] = [value if i == row else cell for i, cell in enumerate(frame[column])]
    return frame


def test_rows_in_any_order_are_joined_by_id(tmp_path):
    preds = make_predictions()
    order = np.random.default_rng(0).permutation(20)
    shuffled = dataclasses.replace(preds, test_ids=preds.test_ids[order], test=preds.test[order])
    first = write_submission(preds, comp(), save(tmp_path), file=tmp_path / "a.csv").read_bytes()
    assert (
        write_submission(shuffled, comp(), tmp_path, file=tmp_path / "b.csv").read_bytes() == first
    )
    frame = pd.read_csv(tmp_path / "a.csv")
    assert (
        frame["id"].tolist() == list(range(1000, 1020))
        and frame["answer"].tolist() == preds.test.argmax(1).tolist()
    )


@pytest.mark.parametrize(
    "metric, task, vocab, columns",
    [
        ("accuracy", "multiclass", ("ant", "bee", "cat"), ["answer"]),
        ("map@3", "multiclass", ("ant", "bee", "cat"), ["answer"]),
        ("log_loss", "multiclass", ("ant", "bee", "cat"), ["bee", "ant", "cat"]),
        ("auc", "binary", (0, 1), ["answer"]),
        ("auc", "binary", (False, True), ["answer"]),
    ],
)
def test_a_model_with_its_classes_in_another_order_writes_the_same_bytes(
    tmp_path, metric, task, vocab, columns
):
    preds = make_predictions(vocab=vocab, metric=metric)
    preds = dataclasses.replace(
        preds, test=np.vstack([np.full((2, len(vocab)), 1 / len(vocab)), preds.test[2:]])
    )  # two ties
    order, rows = np.roll(np.arange(len(vocab)), 1), np.random.default_rng(0).permutation(20)
    other = dataclasses.replace(
        preds,
        vocab=tuple(vocab[i] for i in order),
        targs=np.argsort(order)[preds.targs],
        oof=preds.oof[:, order],
        test=preds.test[rows][:, order],
        test_ids=preds.test_ids[rows],
    )
    save(tmp_path, pd.DataFrame({"id": range(1000, 1020), **dict.fromkeys(columns, 0)}))
    first = write_submission(
        preds, comp(metric, task), tmp_path, file=tmp_path / "a.csv"
    ).read_bytes()
    assert (
        write_submission(other, comp(metric, task), tmp_path, file=tmp_path / "b.csv").read_bytes()
        == first
    )


REFUSED = [
    (lambda: good().drop(columns="answer"), "no column answer"),
    (lambda: good(extra=1), "columns that the sample lacks: extra"),
    (lambda: good().reset_index().rename(columns={"index": "Unnamed: 0"}), "index=False"),
    (
        lambda: good().iloc[:-3],
        r"3 rows \(id 1017, 1018, 1019\): the id is missing. The sample has 20 rows, the sub.* 17",
    ),
    (
        lambda: pd.concat([good(), good().head(2)]),
        r"2 rows \(id 1000, 1001\): the id is there more than once",
    ),
    (lambda: good(id=np.arange(1001, 1021)), r"1 row \(id 1020\): the id is not in the sample"),
    (lambda: put("answer", 4, np.nan), r"1 row \(id 1004\): 'answer' is empty"),
    (lambda: put("answer", 5, "[0.54]"), r"1005.*holds a list like '\[0.54\]'.*preds\[:, 0\]"),
    (lambda: put("answer", 5, np.array([0.54])), "holds a list"),
    (lambda: put("answer", 6, 2), r"1006.*none of the labels 0, 1"),
    (lambda: good(answer=0.37), "Round or decode"),
    (lambda: pd.concat([good(), good()[["answer"]]], axis=1), "more than one column answer"),
    (lambda: pd.concat([good()[["id"]], good()], axis=1), "more than one column id"),
    (
        lambda: good(id=[np.nan, *range(1001, 1020)]),
        r"no id in 1 of its rows, the first in row 1.*becomes a float",
    ),
    (lambda: put("answer", 4, "nan"), r"1 row \(id 1004\): 'answer' is empty"),
]


@pytest.mark.parametrize("make, words", REFUSED)
def test_labels_refused(make, words):
    with pytest.raises(SubmissionError, match=words):
        check_submission(make(), SAMPLE, metric="accuracy", labels=(0, 1))


@pytest.mark.parametrize(
    "value, words",
    [
        (1.2, "outside 0 to 1"),
        (-0.1, "outside 0 to 1"),
        ("high", "not a number"),
        (np.inf, "infinite"),
        ("[0.5]", "a list"),
    ],
)
def test_probabilities_refused(value, words):
    with pytest.raises(SubmissionError, match=f"1003.*{words}"):
        check_submission(put("answer", 3, value), SAMPLE, metric="auc")


@pytest.mark.parametrize(
    "value", [10**400, pd.Timestamp("2020-01-01"), 1 + 2j, True, "1_000", "2020-01-01"]
)
def test_cells_that_are_not_numbers_are_refused_in_frames_and_files(tmp_path, value):
    for frame in (put("answer", 3, value), good(answer=[value] * 20)):
        with pytest.raises(
            SubmissionError, match=r"'answer' (holds .*which is not a number|is infinite)"
        ):
            check_submission(frame, SAMPLE, metric="mae")
        frame.to_csv(tmp_path / "mine.csv", index=False)
        with pytest.raises(
            SubmissionError, match=r"'answer' (holds .*which is not a number|is infinite)"
        ):
            check_file(tmp_path / "mine.csv", comp("mae", "regression"), save(tmp_path))


def test_empty_cells_are_refused_if_no_labels_are_known(tmp_path):
    put("answer", 4, "nan").to_csv(tmp_path / "mine.csv", index=False)
    with pytest.raises(SubmissionError, match=r"id 1004.*is empty"):
        check_file(tmp_path / "mine.csv", comp(), save(tmp_path))
    put("answer", 4, "nan").to_csv(tmp_path / "mine.csv", index=False)
    assert (
        check_file(tmp_path / "mine.csv", comp(), tmp_path, labels=("0", "1", "nan"))["answer"][4]
        == "nan"
    )


def test_labels_are_returned_in_the_spelling_of_the_data(tmp_path):
    for labels, cells, expected in (
        ((0, 1), [0.0, 1.0], [0, 1]),
        ((0.5, 1.0), ["0.50", 1], None),
        ((0.5, 1.0), [0.5, 1], [0.5, 1.0]),
    ):
        frame = good(answer=cells * 10)
        frame.to_csv(tmp_path / "mine.csv", index=False)
        checks = (
            lambda f=frame, v=labels: check_submission(f, SAMPLE, metric="accuracy", labels=v),
            lambda v=labels: check_file(tmp_path / "mine.csv", comp(), save(tmp_path), labels=v),
        )
        for check in checks:
            if expected is None:
                with pytest.raises(SubmissionError, match=r"none of the labels 0\.5, 1"):
                    check()
            else:
                assert list(map(repr, check()["answer"].tolist()[:2])) == list(map(repr, expected))


def test_a_ranking_cannot_hold_labels_with_blanks(tmp_path):
    three = make_predictions(vocab=("big cat", "bee", "ant"), metric="map@3")
    with pytest.raises(SubmissionError, match="the label 'big cat' holds a blank"):
        write_submission(three, comp("map@3", "multiclass"), save(tmp_path))
    with pytest.raises(SubmissionError, match="the label 'big cat' holds a blank"):
        check_submission(good(answer="big cat bee"), SAMPLE, metric="map@3", labels=three.vocab)


def test_probability_rows_must_sum_to_one():
    sample = pd.DataFrame({"id": range(3), "a": 0.5, "b": 0.5})
    with pytest.raises(
        SubmissionError, match=r"1 row \(id 1\): the probabilities sum to .*1.3.*Divide"
    ):
        check_submission(sample.assign(a=[0.5, 0.8, 0.5]), sample, metric="log_loss")


def test_float_ids_are_explained():
    with pytest.raises(SubmissionError, match=r"written '1000\.0' where the sample has '1000'"):
        check_submission(
            good(id=SAMPLE["id"].map(lambda v: f"{v}.0")), SAMPLE, metric="accuracy", labels=(0, 1)
        )


def test_text_ids_that_look_like_numbers_keep_their_zeros(tmp_path):
    sample = pd.DataFrame({"id": [f"{i:05d}" for i in range(20)], "answer": 0})
    preds = dataclasses.replace(make_predictions(), test_ids=sample["id"].to_numpy())
    file = write_submission(preds, comp(), save(tmp_path, sample), file=tmp_path / "s.csv")
    assert file.read_text().splitlines()[1].startswith("00000,")


def test_a_csv_file_is_checked(tmp_path):
    good().iloc[::-1].to_csv(tmp_path / "mine.csv", index=False)
    assert check_file(tmp_path / "mine.csv", comp(), save(tmp_path))["id"].astype(
        int
    ).tolist() == list(range(1000, 1020))
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(SubmissionError, match=r"empty\.csv does not read as csv"):
        check_file(tmp_path / "empty.csv", comp(), tmp_path)


def written(preds, tmp_path, sample, **kw):
    return pd.read_csv(
        write_submission(preds, comp(**kw), save(tmp_path, sample), file=tmp_path / "s.csv")
    )


def test_each_metric_has_its_form_of_answers(tmp_path):
    binary, three = make_predictions(), make_predictions(vocab=("ant", "bee", "cat"))
    np.testing.assert_allclose(
        written(binary, tmp_path, SAMPLE, metric="auc")["answer"], binary.test[:, 1]
    )
    columns = pd.DataFrame({"id": range(1000, 1020), "cat": 0, "ant": 0, "bee": 0})
    np.testing.assert_allclose(
        written(three, tmp_path, columns, metric="log_loss", task="multiclass")[
            ["ant", "bee", "cat"]
        ],
        three.test,
    )
    ranked = written(three, tmp_path, SAMPLE, metric="map@3", task="multiclass")["answer"]
    assert ranked[0].split() == [three.vocab[i] for i in np.argsort(-three.test[0])]
    assert set(
        written(three, tmp_path, SAMPLE, metric="accuracy", task="multiclass")["answer"]
    ) <= {"ant", "bee", "cat"}
    values = make_values()
    np.testing.assert_allclose(
        written(values, tmp_path, SAMPLE, metric="rmse", task="regression")["answer"],
        values.test[:, 0],
    )
    two = dataclasses.replace(
        values,
        test=np.c_[values.test, -values.test],
        oof=np.c_[values.oof, values.oof],
        targs=np.c_[values.targs, values.targs],
    )
    pair = pd.DataFrame({"id": range(1000, 1020), "x": 0, "y": 0})
    np.testing.assert_allclose(
        written(
            two, tmp_path, pair, metric="mean_columnwise_rmse", task="regression", target=("x", "y")
        )[["x", "y"]],
        two.test,
    )


@pytest.mark.parametrize(
    ("vocab", "columns"),
    [
        (("C", "CL", "D"), ["Status_D", "Status_C", "Status_CL"]),
        ((0.5, 1.0, 1.5), ["1.0", "0.5", "1.5"]),
    ],
)
def test_columns_may_have_a_prefix_before_the_class(tmp_path, vocab, columns):
    three, sample = (
        make_predictions(vocab=vocab),
        pd.DataFrame({"id": range(1000, 1020), **dict.fromkeys(columns, 0)}),
    )
    frame = written(three, tmp_path, sample, metric="log_loss", task="multiclass")
    np.testing.assert_allclose(frame[sorted(columns)], three.test)


def test_without_a_sample_each_of_several_classes_gets_a_column(tmp_path):
    pd.DataFrame({"id": range(1000, 1020)}).to_csv(tmp_path / "test.csv", index=False)
    three = make_predictions(vocab=("ant", "bee", "cat"))
    frame = pd.read_csv(
        write_submission(three, comp("log_loss", "multiclass"), tmp_path, file=tmp_path / "s.csv")
    )
    assert list(frame) == ["id", "ant", "bee", "cat"]


def test_targets_are_joined_by_name_not_by_order(tmp_path):
    values = make_values()
    two = dataclasses.replace(
        values,
        test=np.c_[values.test, -values.test],
        oof=np.c_[values.oof, values.oof],
        targs=np.c_[values.targs, values.targs],
    )
    sample = pd.DataFrame({"id": range(1000, 1020), "y": 0, "x": 0})
    frame = written(
        two, tmp_path, sample, metric="mean_columnwise_rmse", task="regression", target=("x", "y")
    )
    np.testing.assert_allclose(frame["x"], two.test[:, 0])


def test_labels_are_written_as_the_data_writes_them(tmp_path):
    assert set(
        written(make_predictions(vocab=(False, True)), tmp_path, SAMPLE)["answer"].astype(str)
    ) <= {"True", "False"}
    floats = write_submission(
        make_predictions(vocab=(0.0, 1.0)), comp(), save(tmp_path), file=tmp_path / "f.csv"
    ).read_text()
    assert ".0" not in floats


def test_without_a_sample_the_test_rows_are_used(tmp_path):
    pd.DataFrame({"id": range(1000, 1020)}).to_csv(tmp_path / "test.csv", index=False)
    assert (
        len(
            pd.read_csv(
                write_submission(make_predictions(), comp(), tmp_path, file=tmp_path / "s.csv")
            )
        )
        == 20
    )


def test_many_rows_are_checked():
    n = 200_000
    sample = pd.DataFrame({"id": np.arange(n), "answer": 0})
    frame = sample.assign(answer=np.random.default_rng(0).random(n)).sample(frac=1, random_state=0)
    assert check_submission(frame, sample, metric="auc")["id"].tolist() == list(range(n))
