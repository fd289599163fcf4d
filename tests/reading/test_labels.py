"""One spelling for a label, and the sample's column of each class."""

import numpy as np
import pytest

from fastkaggle_plus.reading.labels import columns_of_classes, places_in_order, spelled, written


def test_a_label_has_one_spelling():
    assert {spelled(v) for v in (1, 1.0, np.float64(1), "1.0", " 1 ", "1")} == {"1"}
    assert [spelled(v) for v in ("1.0.0", "01", 0.5, "v1.0", True)] == [
        "1.0.0",
        "01",
        "0.5",
        "v1.0",
        "True",
    ]


def test_labels_become_integers_only_if_all_are_whole():
    assert [repr(v) for v in written((1.0, 2.0))] == ["1", "2"]
    assert written((0.5, 1.0)) == [0.5, 1.0] and str(written((0.5, 1.0))[1]) == "1.0"
    assert written((False, True)) == [False, True] and written(()) == []


@pytest.mark.parametrize(
    "labels, places",
    [((10, 2), [1, 0]), ((True, False), [1, 0]), (("b", "a", 3), [2, 1, 0]), ((), [])],
)
def test_the_order_of_labels_does_not_depend_on_their_input_order(labels, places):
    assert places_in_order(labels) == places


@pytest.mark.parametrize(
    ("labels", "columns", "found"),
    [
        (
            ("C", "CL", "D"),
            ["Status_D", "Status_C", "Status_CL"],
            ["Status_C", "Status_CL", "Status_D"],
        ),
        (("cat", "cow"), ["p_cow_score", "p_cat_score"], ["p_cat_score", "p_cow_score"]),
        ((0.5, 1.0, 1.5), ["0.5", "1.0", "1.5"], ["0.5", "1.0", "1.5"]),
        ((1, 2), ["1.0", "2.0"], ["1.0", "2.0"]),
        (("a", "b"), ["a", "c"], None),
        (("a", "b"), ["a"], None),
        (("a", "b"), ["x_a", "y_b"], None),
        ((), [], []),
    ],
)
def test_columns_match_classes_with_one_prefix_and_suffix(labels, columns, found):
    assert columns_of_classes(labels, columns) == found
