"""The text baseline: lengths, overlaps and topics of texts, the context as a category."""

import csv

import numpy as np
import pandas as pd
import pytest

from fastkaggle_plus.exceptions import DataError
from fastkaggle_plus.reading.text import read_text, text_columns
from fastkaggle_plus.reading.topics import Topics

WORDS = np.array("gear lens valve cable pump blade sensor frame motor filter nozzle spring".split())

ODD = [
    "NA",
    "null",
    "None",
    "nan",
    "",
    "007",
    "1e5",
    " padded ",
    "TRUE",
    'said "so", twice',
    "a\nb",
    "a\r\nb",
    "a\rb",
    "a,b;c\td",
    "😀👩‍👩‍👧 ok",
    "e\u0301 \u00e9",
    "שלום עולם",
    "nul\0inside",
    "z " * 50_000,
    "\ufefffirst",
    '"',
    "'",
    '""',
    "\n",
    "\\",
    "#x",
    "\u2028 \x85",
    "-",
    "three plain words",
]


def make(folder, n=120):
    rng = np.random.default_rng(1)
    first = [" ".join(rng.choice(WORDS, 3, replace=False)) for _ in range(n)]
    other = [a if i % 2 else " ".join(rng.choice(WORDS, 3)) for i, a in enumerate(first)]
    rows = pd.DataFrame(
        {
            "id": [f"{i:04x}" for i in range(n)],
            "first": first,
            "other": other,
            "topic": [f"t{i % 3}" for i in range(n)],
            "size": range(n),
            "score": [float(i % 2) for i in range(n)],
        }
    )
    rows.head(n - 20).to_csv(folder / "train.csv", index=False)
    rows.tail(20).drop(columns="score").to_csv(folder / "test.csv", index=False)
    return folder


def read(folder, **options):
    return read_text(folder, id="id", target=("score",), task="regression", **options)


def test_texts_become_lengths_overlaps_and_topics(tmp_path):
    data = read(make(tmp_path), columns=("first", "other"), context="topic")
    assert list(data.train.x) == list(data.test.x) and data.train.cat_names == ("topic",)
    assert data.train.x["first_words"].eq(3).all() and data.train.x["first_letters"][0] == len(
        data.raw_train["first"][0]
    )
    assert np.corrcoef(data.train.x["first_other_same_words"], data.targs)[0, 1] > 0.9
    assert data.train.x["first_other_same_letters"][1] == 1.0
    assert "size" in data.train.cont_names and {f"first_topic{i}" for i in range(8)} <= set(
        data.train.cont_names
    )
    assert not {"first", "other", "first_count", "other_count"} & set(data.train.x)


def test_text_columns_are_found_when_they_are_not_named(tmp_path):
    data = read(make(tmp_path))
    assert (
        "first_words" in data.train.x
        and "other_words" in data.train.x
        and "topic_words" not in data.train.x
    )


def topics_of(train, test):
    topics, found = Topics.fit(train)
    return found.to_numpy(), topics(test).to_numpy()


def test_topics_are_fitted_on_train_and_reproducible(tmp_path):
    texts = pd.Series([" ".join(np.random.default_rng(i).choice(WORDS, 3)) for i in range(60)])
    train, test = topics_of(texts.head(40), texts.tail(20))
    again, other = topics_of(texts.head(40), pd.Series(["something else"] * 20))
    np.testing.assert_array_equal(train, again)
    assert test.shape == (20, train.shape[1]) and not np.allclose(test, other)
    same, _ = topics_of(texts.head(40), texts.head(40))
    assert (
        np.abs(np.corrcoef(train.T) - np.eye(train.shape[1]))[0, 1] < 0.5 and (same == train).all()
    )


@pytest.mark.parametrize("texts", [["", ""], ["a", "a"], ["one", "two words"], ["!!", "??"]])
def test_very_short_texts_are_no_error(texts):
    train, test = topics_of(pd.Series(texts), pd.Series(["new"]))
    assert len(train) == 2 and len(test) == 1 and train.shape[1] == test.shape[1]


def test_missing_texts_are_empty(tmp_path):
    make(tmp_path)
    rows = pd.read_csv(tmp_path / "train.csv")
    rows.loc[0, "other"] = None
    rows.to_csv(tmp_path / "train.csv", index=False)
    data = read(tmp_path, columns=("first", "other"))
    assert data.train.x["other_words"][0] == 0 and data.train.x["first_other_same_words"][0] == 0


def test_missing_columns_are_named_with_the_settings_file(tmp_path):
    with pytest.raises(
        DataError,
        match=r'toml: \[text\] columns = "fist": .*train\.csv has no such column\. .*first',
    ):
        read(make(tmp_path), columns=("fist", "other"))
    with pytest.raises(
        DataError, match=r'its/facts\.toml: \[text\] context = "topik": .*no such column\. .*topic'
    ):
        read(tmp_path, columns=("first",), context="topik", facts_file="its/facts.toml")
    with pytest.raises(DataError, match=r"\[text\] names 'score', and that is the target"):
        read(tmp_path, columns=("first", "score"))
    with pytest.raises(DataError, match=r"\[text\] names 'id', and that is the id"):
        read(tmp_path, columns=("first",), context="id")
    pd.read_csv(tmp_path / "test.csv").drop(columns="other").to_csv(
        tmp_path / "test.csv", index=False
    )
    with pytest.raises(
        DataError, match=r'\[text\] columns = "other": .*test\.csv has no such column'
    ):
        read(tmp_path, columns=("first", "other"))
    pd.read_csv(tmp_path / "train.csv")[["id", "size", "score"]].to_csv(
        tmp_path / "train.csv", index=False
    )
    with pytest.raises(
        DataError, match=r"train\.csv looks like text; the columns are id, size, score\. Name them"
    ):
        read(tmp_path)


def odd_rows(n=90):
    """Two texts, a context that looks like a number, and targets with gaps."""
    texts = [ODD[i % len(ODD)] for i in range(n)]
    return pd.DataFrame(
        {
            "id": [f"{i:03}" for i in range(n)],
            "first": texts,
            "other": texts[::-1],
            "topic": ["007" if i % 2 else "7" for i in range(n)],
            "score": ["" if i % 10 == 3 else str(i / n) for i in range(n)],
        }
    )


def write(frame, file, **options):
    frame.to_csv(file, index=False, quoting=csv.QUOTE_ALL, lineterminator="\n", **options)


def test_texts_are_unchanged(tmp_path):
    rows = odd_rows()
    train, test = rows.head(70), rows.tail(20).drop(columns="score")
    write(train, tmp_path / "train.csv")
    write(test, tmp_path / "test.csv")
    data = read(tmp_path, columns=("first", "other"), context="topic")
    labelled = train[train["score"] != ""]
    for table, written in ((data.train, labelled), (data.test, test)):
        assert list(table.texts) == [
            "first",
            "other",
            "topic",
        ] and table.texts.index.tolist() == list(range(len(table)))
        for c in table.texts:
            assert table.texts[c].tolist() == written[c].tolist()
    assert data.ids.tolist() == labelled["id"].tolist() and set(data.train.x["topic"]) == {
        "7",
        "007",
    }
    assert data.train.x["first_letters"].tolist() == [len(t) for t in labelled["first"]]
    assert np.isfinite(data.train.x[list(data.train.cont_names)]).all(axis=None)
    other = data.with_features(
        data.train.x, data.test.x, cat_names=(), cont_names=data.train.cont_names
    )
    pd.testing.assert_frame_equal(other.train.texts, data.train.texts)
    pd.testing.assert_frame_equal(other.test.texts, data.test.texts)


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("utf-8-sig", "😀 naïve"),
        ("utf-16", "שלום 😀"),
        ("cp1252", "Zürich’s “best” €"),
        ("latin-1", "Zürich \x81"),
    ],
)
def test_files_in_other_encodings(tmp_path, encoding, text):
    rows = pd.DataFrame({"first": [text, "NA"] * 20, "id": range(40), "score": 0.5})
    for name in ("train", "test"):
        write(rows, tmp_path / f"{name}.csv", encoding=encoding)
    assert read(tmp_path, columns=("first",)).test.texts["first"].tolist() == [text, "NA"] * 20


def test_one_broken_letter_changes_no_other(tmp_path):
    make(tmp_path)
    for file in (tmp_path / "train.csv", tmp_path / "test.csv"):
        pd.read_csv(file).assign(first="שלום 😀 naïve @").to_csv(file, index=False)
        file.write_bytes(file.read_bytes().replace(b"@", b"\xe9", 1).replace(b"@", "é".encode()))
    texts = read(tmp_path, columns=("first",)).train.texts["first"].tolist()
    assert texts[0] == "שלום 😀 naïve \ufffd" and set(texts[1:]) == {"שלום 😀 naïve é"}


@pytest.mark.parametrize(
    ("train", "test"),
    [
        (["", ""], ["", ""]),
        (["two words", "or three words"], ["", ""]),
        (["", ""], ["new words", ""]),
        (["1", "2"], ["x", "3"]),
        (["2020-01-02", "2020-01-03"], ["", "2020-01-04"]),
    ],
)
def test_columns_that_are_empty_or_look_like_something_else_stay_texts(tmp_path, train, test):
    for name, texts in (("train", train), ("test", test)):
        write(
            pd.DataFrame({"id": range(40), "first": texts * 20, "score": np.arange(40) / 40}),
            tmp_path / f"{name}.csv",
        )
    data = read(tmp_path, columns=("first",))
    assert (
        data.train.texts["first"].tolist() == train * 20
        and data.test.texts["first"].tolist() == test * 20
    )
    assert (
        "first" not in data.train.x
        and not any(c.startswith("first_Y") for c in data.train.x)
        and len(data.train.x.columns) >= 2
    )


def test_one_or_five_columns_and_one_named_like_a_feature(tmp_path):
    make(tmp_path)
    for file in (tmp_path / "train.csv", tmp_path / "test.csv"):
        rows = pd.read_csv(file)
        rows.assign(
            **{f"t{i}": rows["first"] + f" {i}" for i in range(4)},
            first_words=np.arange(len(rows)) * 1.5,
        ).to_csv(file, index=False)
    data = read(tmp_path, columns=("first", "t0", "t1", "t2", "t3"))
    assert (
        sum(c.endswith("_same_words") for c in data.train.x) == 10
        and data.train.x["first_words"][2] == 3.0
        and data.train.x.columns.is_unique
    )
    assert list(read(tmp_path, columns=("first",)).train.texts) == ["first"]


@pytest.mark.parametrize(
    ("values", "is_text"),
    [
        (["not known", "fairly good"], False),
        (["很好的产品我很喜欢", "不好"], True),
        ([f"number {i}" for i in range(300)], True),
        (["2020-01-01 10:00"], False),
        ([f"{i:032x}" for i in range(300)], False),
        (["", "", "a rare remark here"] + [f"remark number {i}" for i in range(297)], True),
        ([""], False),
        (["pump", "valve"], False),
    ],
)
def test_columns_that_look_like_text(values, is_text):
    column = pd.Series(
        (values * 300)[:300] if len(values) < 3 and not is_text else (values * 150)[:300]
    ).replace("", None)
    if is_text and len(values) == 2:
        column = column + pd.Series([str(i) for i in range(300)])
    frame = pd.DataFrame({"id": range(300), "c": column, "y": 1})
    assert text_columns(frame, frame, id="id", target=("y",)) == (("c",) if is_text else ())


def test_long_and_repeated_texts_are_counted_once(tmp_path):
    texts = pd.Series(["a long " + "word " * 20_000, "other words"] * 50 + ["third"])
    topics, again = topics_of(texts, texts)
    assert (
        len(topics) == 101
        and (topics[0] == topics[2]).all()
        and not np.allclose(topics[0], topics[1])
    )
    np.testing.assert_allclose(topics, again)
