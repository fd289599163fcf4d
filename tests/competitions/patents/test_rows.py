"""A row has its phrases, the title of its class and other targets of its anchor, never a score."""

import warnings

import numpy as np
import pandas as pd
import pytest


def targets(cell: str) -> list[str]:
    return cell.split("; ") if cell else []


@pytest.fixture(scope="module")
def some(bank):
    """The pairs of 20 anchors in a mixed order."""
    anchors = bank["anchor"].unique()[:20]
    return (
        bank[bank["anchor"].isin(anchors)].sample(frac=1.0, random_state=0).reset_index(drop=True)
    )


def test_every_class_of_the_bank_and_every_section_has_a_title_in_a_valid_table(comp, rows, bank):
    table = pd.read_csv(comp.folder / "contexts.csv", keep_default_na=False)
    assert (
        list(table) == ["context", "title"]
        and table["context"].is_unique
        and (table["title"].str.len() > 3).all()
    )
    assert table["context"].str.fullmatch(r"[A-H](\d\d)?").all() and set("ABCDEFGH") <= set(
        table["context"]
    )
    assert set(bank["context"]) <= set(table["context"])
    assert (
        rows.TITLES["F42"] == "Ammunition; blasting"
        and "mechanical power" not in rows.TITLES["B02"]
        and "," in rows.TITLES["B02"]
    )
    assert not any('"' in title for title in rows.TITLES.values())


def test_a_row_has_its_phrases_its_section_and_the_title_of_its_class(read, some):
    data = read(some, some.head(3))
    assert list(data.train.texts) == [
        "anchor",
        "target",
        "context",
        "section",
        "section_title",
        "title",
        "others",
    ]
    first = data.train.texts.iloc[0]
    assert (
        first[["anchor", "target", "context"]] == some.loc[0, ["anchor", "target", "context"]]
    ).all()
    assert first["section"] == some["context"][0][0]
    known = pd.DataFrame(
        {"anchor": "a", "target": ["b", "c"], "context": ["H01", "C07"], "score": [0.5, 0.25]}
    )
    texts = read(pd.concat([some, known]), some.head(1)).train.texts.tail(2)
    assert texts["title"].tolist() == ["Electric elements", "Organic chemistry"] and texts[
        "section_title"
    ].tolist() == ["Electricity", "Chemistry; metallurgy"]


def test_an_unknown_class_gets_a_warning_and_the_title_of_its_section(read, some):
    strange = pd.DataFrame(
        {"anchor": ["new"] * 3, "target": ["one", "two", "three"], "context": ["H99", "Y02", "G06"]}
    )
    with pytest.warns(UserWarning, match=r"no title for H99, Y02: using the title") as caught:
        data = read(some, strange)
    assert len(caught) == 1
    assert data.test.texts["title"].tolist() == [
        "Electricity",
        "Y02",
        "Computing; calculating or counting",
    ]
    assert data.test.texts["section_title"].tolist() == ["Electricity", "Y", "Physics"]
    assert len(data.test) == 3 and not data.test.texts.isna().any(axis=None)


def test_known_classes_give_no_warning(read, some):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read(some, some.head(2))


def test_other_targets_have_the_same_anchor_and_class_but_are_not_the_rows_own(rows, some):
    others = rows.other_targets(some)
    groups = some.groupby(["anchor", "context"])["target"].agg(list)
    for row, cell in zip(some.itertuples(), others, strict=True):
        there = groups[row.anchor, row.context]
        assert len(targets(cell)) == min(rows.SHOWN, len(there) - 1)
        assert set(targets(cell)) <= set(there) - {row.target} and len(set(targets(cell))) == len(
            targets(cell)
        )
    assert rows.other_targets(some, shown=2).map(targets).map(len).max() == 2
    # rows of one anchor see different targets
    assert len(set(others[some["anchor"] == some["anchor"][0]])) > 2
    alone = pd.DataFrame({"anchor": ["a", "b"], "target": ["x", "y"], "context": ["H01", "H01"]})
    assert rows.other_targets(alone).tolist() == ["", ""]


def test_scores_do_not_change_the_texts(read, some):
    """With other scores, or none, the texts are the same: no answer can leak."""
    shuffled = some.assign(score=np.random.default_rng(1).permutation(some["score"].to_numpy()))
    one, other = read(some, some.tail(5)), read(shuffled, some.tail(5))
    pd.testing.assert_frame_equal(one.train.texts, other.train.texts)
    pd.testing.assert_frame_equal(one.test.texts, other.test.texts)
    assert not np.array_equal(one.targs, other.targs)


def test_reading_is_reproducible_and_hidden_rows_see_each_other(read, comp, made):
    seen, again = comp.read(made / "files"), comp.read(made / "files")
    pd.testing.assert_frame_equal(seen.train.texts, again.train.texts)
    hidden = pd.read_csv(made / "hidden" / comp.test)
    train = pd.read_csv(made / "files" / comp.train)
    rerun = read(train.drop(columns="id"), hidden.drop(columns="id"))
    assert (
        len(rerun.test) == len(hidden) > 10 * len(seen.test)
        and (rerun.test.texts["others"] != "").mean() > 0.95
    )
    # the hidden rows have other anchors
    pd.testing.assert_frame_equal(rerun.train.texts, seen.train.texts)
    assert set(rerun.test.texts["anchor"]).isdisjoint(seen.train.texts["anchor"])


def test_anchors_are_the_groups_and_the_target_is_the_score(made, comp):
    data = comp.read(made / "files")
    assert data.group_name == "anchor" and (data.groups == data.train.texts["anchor"]).all()
    assert (
        set(np.unique(data.targs)) == {0, 0.25, 0.5, 0.75, 1}
        and data.task == "regression"
        and data.metric == "pearson"
    )
