"""The probe of a frozen language model: it knows meanings, and uses the table's other features."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from fastkaggle_plus.data import Table
from fastkaggle_plus.exceptions import UnknownName
from fastkaggle_plus.modeling import overlap_model, progress, text_probe_model

from ..phrases import make_phrases
from .small import pairs, small_model

SYNONYMS = [
    ("car", "automobile"),
    ("physician", "doctor"),
    ("ship", "vessel"),
    ("lawyer", "attorney"),
    ("movie", "film"),
    ("house", "residence"),
    ("road", "street"),
    ("infant", "baby"),
    ("soil", "earth"),
    ("garbage", "waste"),
    ("stone", "rock"),
    ("forest", "woodland"),
    ("money", "cash"),
    ("error", "mistake"),
    ("teacher", "instructor"),
    ("pupil", "student"),
]


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    return str(small_model(tmp_path_factory.mktemp("models") / "bert"))


def words(rows):
    """Return pairs of words, all different: 1 for synonyms, 0 for others."""
    texts, targs = [], []
    for i, (a, b) in enumerate(rows):
        texts += [(a, b), (b, a), (a, rows[i - 1][1]), (rows[i - 3][1], a)]
        targs += [1.0, 1.0, 0.0, 0.0]
    frame = pd.DataFrame(texts, columns=["one", "two"])
    return Table(
        pd.DataFrame(index=frame.index), np.array(targs), (), (), "regression", (), None, frame
    )


def correlation(model, fit, rows):
    return np.corrcoef(model.fit(fit).predict(rows)[:, 0], rows.targs)[0, 1]


@pytest.mark.parametrize("head", ["both", "linear", "trees"])
def test_it_knows_synonyms_that_share_no_word(head):
    fit, rows = words(SYNONYMS[:11]), words(SYNONYMS[11:])
    assert correlation(text_probe_model(head=head), fit, rows) > 0.6
    assert not overlap_model().fit(fit).predict(rows).std() > 1e-6


def test_both_is_the_mean_of_the_linear_head_and_of_the_trees(bert):
    table, rows = pairs(90), pairs(40, seed=1)
    both, linear, trees = (
        text_probe_model(bert, head=head).fit(table).predict(rows)
        for head in ("both", "linear", "trees")
    )
    assert not np.allclose(linear, trees)
    np.testing.assert_allclose(both, (linear + trees) / 2)


def test_the_trees_use_the_other_features_of_the_table(bert):
    table = pairs(200)
    price = np.random.default_rng(0).normal(size=200)
    x = pd.DataFrame({"price": price, "kind": pd.Categorical(np.where(price > 0, "a", "b"))})
    table = dataclasses.replace(
        table, x=x, targs=(price > 0).astype(float), cat_names=("kind",), cont_names=("price",)
    )
    assert correlation(text_probe_model(bert, head="trees"), table, table) > 0.95


def test_a_topic_that_is_a_category_is_not_read_as_a_text(bert):
    table = pairs(60)
    topics = pd.Series(["A1", "B2", "C3"] * 20)
    with_topic = dataclasses.replace(
        table,
        x=pd.DataFrame({"topic": pd.Categorical(topics)}),
        cat_names=("topic",),
        texts=table.texts.assign(topic=topics),
    )
    events = []
    with progress.send_to(lambda share, what: events.append(what.removeprefix("text ").split("/"))):
        text_probe_model(bert, max_len=20).fit(with_topic)
    n_read = sum(int(n) for done, n in events if done == n)
    assert n_read == len({*table.texts["anchor"], *table.texts["target"]})


def test_notes_name_the_weights_the_penalty_and_the_texts_that_were_cut(bert):
    notes = text_probe_model(bert, max_len=5).fit(pairs(60)).notes
    assert notes["weights_from"] == "folder bert" and notes["texts_cut"] > 5
    assert notes["penalty"] > 0
    assert text_probe_model(bert).fit(pairs(60)).notes["texts_cut"] == 0


def test_many_text_columns_have_cosines_only(bert):
    table = pairs(40)
    texts = pd.concat([table.texts, table.texts[::-1].add_prefix("other_")], axis=1)
    table = dataclasses.replace(table, texts=texts.reset_index(drop=True))
    assert text_probe_model(bert).fit(table).predict(table).shape == (40, 1)


def test_a_single_text_column():
    table, rows = (
        make_phrases("multiclass", columns=1),
        make_phrases("multiclass", columns=1, seed=1),
    )
    preds = text_probe_model().fit(table).predict(rows)
    assert (preds.argmax(1) == rows.targs).mean() > 0.8


def test_an_unknown_head_is_refused():
    with pytest.raises(UnknownName, match="trees"):
        text_probe_model(head="forest")
