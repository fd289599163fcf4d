"""How similar two texts are: shared words, shared groups of letters, the same start and end."""

import pandas as pd
import pytest

from fastkaggle_plus.reading.overlaps import overlaps_of, word_overlap


def overlap(a, b):
    found = overlaps_of(pd.Series([a], name="a"), pd.Series([b], name="b"))
    return found.iloc[0].rename(lambda name: name.removeprefix("a_b_same_"))


@pytest.mark.parametrize(
    ("a", "b", "words", "of_1", "of_2", "start", "end"),
    [
        ("metal gear", "Metal gear", 1, 1, 1, 1, 1),
        ("metal gear", "gear", 0.5, 0.5, 1, 0, 1),
        ("gear, pump", "gear", 0.5, 0.5, 1, 1, 0),
        ("steel springs", "steel spring", 1 / 3, 0.5, 0.5, 1, 1),
        ("gear", "valve", 0, 0, 0, 0, 0),
        ("", "gear", 0, 0, 0, 0, 0),
        ("", "", 0, 0, 0, 0, 0),
    ],
)
def test_words_in_any_case_and_order(a, b, words, of_1, of_2, start, end):
    found = overlap(a, b)
    names = ["words", "words_of_1", "words_of_2", "start", "end"]
    assert found[names].tolist() == pytest.approx([words, of_1, of_2, start, end])


def test_letters_find_other_forms_of_a_word():
    forms, others = overlap("hydraulics", "hydraulic"), overlap("hydraulics", "valve")
    assert forms["words"] == 0 < 0.7 < forms["letters"] and others["letters"] == 0
    assert forms["letters_of_2"] > forms["letters_of_1"] > forms["letters"] - 1e-9


def test_the_word_overlap_is_the_share_of_all_words():
    one, other = pd.Series(["a b c"], name="x"), pd.Series(["b c d"], name="y")
    assert word_overlap(one, other).tolist() == [0.5]
