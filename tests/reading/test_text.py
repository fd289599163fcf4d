"""The text baseline: lengths, overlaps and topics of the text columns, the context as a category."""

import numpy as np
import pandas as pd
import pytest

from fastkaggle_plus.exceptions import DataError
from fastkaggle_plus.reading.text import read_text, topics_of

WORDS = np.array("gear lens valve cable pump blade sensor frame motor filter nozzle spring".split())


def make(folder, n=120):
    rng = np.random.default_rng(1)
    first = [" ".join(rng.choice(WORDS, 3, replace=False)) for _ in range(n)]
    other = [a if i % 2 else " ".join(rng.choice(WORDS, 3)) for i, a in enumerate(first)]
    rows = pd.DataFrame({"id": [f"{i:04x}" for i in range(n)], "first": first, "other": other, "topic": [f"t{i % 3}" for i in range(n)], "size": range(n),
                         "score": [float(i % 2) for i in range(n)]})
    rows.head(n - 20).to_csv(folder / "train.csv", index=False)
    rows.tail(20).drop(columns="score").to_csv(folder / "test.csv", index=False)
    return folder


def read(folder, **options):
    return read_text(folder, id="id", target=("score",), task="regression", **options)


def test_texts_become_lengths_overlaps_and_topics(tmp_path):
    data = read(make(tmp_path), columns=("first", "other"), context="topic")
    assert list(data.train.x) == list(data.test.x) and data.train.cat_names == ("topic",)
    assert data.train.x["first_words"].eq(3).all() and data.train.x["first_letters"][0] == len(data.raw_train["first"][0])
    assert np.corrcoef(data.train.x["first_other_same_words"], data.targs)[0, 1] > 0.9
    assert data.train.x["first_other_same_letters"][1] == 1.0
    assert "size" in data.train.cont_names and {f"first_topic{i}" for i in range(8)} <= set(data.train.cont_names)
    assert not {"first", "other", "first_count", "other_count"} & set(data.train.x)


def test_text_columns_are_found_when_they_are_not_named(tmp_path):
    data = read(make(tmp_path))
    assert "first_words" in data.train.x and "other_words" in data.train.x and "topic_words" not in data.train.x


def test_topics_come_from_train_alone_and_are_the_same_every_time(tmp_path):
    texts = pd.Series([" ".join(np.random.default_rng(i).choice(WORDS, 3)) for i in range(60)])
    train, test = topics_of(texts.head(40), texts.tail(20))
    again, other = topics_of(texts.head(40), pd.Series(["something else"] * 20))
    np.testing.assert_array_equal(train, again)
    assert test.shape == (20, train.shape[1]) and not np.allclose(test, other)
    same, _ = topics_of(texts.head(40), texts.head(40))
    assert np.abs(np.corrcoef(train.T) - np.eye(train.shape[1]))[0, 1] < 0.5 and (same == train).all()


@pytest.mark.parametrize("texts", [["", ""], ["a", "a"], ["one", "two words"], ["!!", "??"]])
def test_hardly_any_text_is_no_error(texts):
    train, test = topics_of(pd.Series(texts), pd.Series(["new"]))
    assert len(train) == 2 and len(test) == 1 and train.shape[1] == test.shape[1]


def test_missing_texts_are_empty(tmp_path):
    make(tmp_path)
    rows = pd.read_csv(tmp_path / "train.csv")
    rows.loc[0, "other"] = None
    rows.to_csv(tmp_path / "train.csv", index=False)
    data = read(tmp_path, columns=("first", "other"))
    assert data.train.x["other_words"][0] == 0 and data.train.x["first_other_same_words"][0] == 0


def test_columns_that_are_not_there_are_named(tmp_path):
    with pytest.raises(DataError, match=r"train file has no column 'second'; its columns: id, first.*Check \[text\]"):
        read(make(tmp_path), columns=("first", "second"))
    pd.read_csv(tmp_path / "train.csv")[["id", "size", "score"]].to_csv(tmp_path / "train.csv", index=False)
    with pytest.raises(DataError, match=r"No column looks like text; the columns are id, size, score"):
        read(tmp_path)
