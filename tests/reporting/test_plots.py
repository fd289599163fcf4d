"""Plots agree with the board: of equal scores the first is the best."""

import dataclasses

import numpy as np
from matplotlib.colors import to_hex

from fastkaggle_plus.reporting import plot_calibration, plot_confusion, plot_levels, plot_scores
from fastkaggle_plus.reporting.plots import ORANGE
from fastkaggle_plus.reporting.svg import as_svg
from fastkaggle_plus.sweeps import board

from ..making import make_predictions, make_values


def test_a_tie_is_shown_as_on_the_board():
    for made, worse in (
        (make_predictions("first"), make_predictions("worst", right=0.6)),
        (make_values("first"), make_values("worst", noise=2.0)),
    ):
        members = [worse, made, dataclasses.replace(made, name="second")]
        [axes] = plot_scores(members).axes
        shown = [label.get_text() for label in axes.get_yticklabels()][::-1]  # best on top
        assert shown == [row.name for row in board(members)] == ["first", "second", "worst"]
        colors = {round(c[0].get_ydata()[0]): to_hex(c[0].get_color()) for c in axes.containers}
        assert [len(shown) - 1 - y for y, color in colors.items() if color == ORANGE] == [0]


def test_names_in_any_script_are_drawn_without_a_warning(recwarn):
    figure = plot_scores([make_predictions("\u7a3b"), make_predictions("b")])
    assert "\u7a3b" in as_svg(figure) and not recwarn.list


def test_a_notebook_shows_a_plot_without_magic():
    import sys

    from IPython.core.formatters import DisplayFormatter

    had_pyplot = "matplotlib.pyplot" in sys.modules
    made = make_predictions("a")
    for figure in (plot_scores([made]), plot_confusion(made), plot_calibration(made)):
        shown, _ = DisplayFormatter().format(figure)
        assert shown["image/png"].startswith(b"\x89PNG")
    assert had_pyplot or "matplotlib.pyplot" not in sys.modules


def test_a_holdout_has_another_title_than_folds():
    for folds, title, has_dots in ((5, "CV", True), (1, "Held-out", False)):
        figure = plot_scores(
            [make_predictions("a", folds=folds), make_predictions("b", folds=folds, right=0.6)]
        )
        assert figure.get_suptitle().startswith(f"{title} score: accuracy")
        assert ("grey: single folds" in figure.axes[0].get_xlabel()) == has_dots


def test_levels_are_drawn_as_boxes_unless_they_are_many():
    made = make_values("a")
    levels = np.round(made.targs.ravel()[: len(made.targs)] - made.targs.min()) % 3 / 2
    few = dataclasses.replace(made, targs=levels, oof=levels[:, None] + 1)
    [axes] = plot_levels(few).axes
    ticks = [label.get_text().split("\n") for label in axes.get_xticklabels()]
    assert [t[0] for t in ticks] == ["0", "0.5", "1"]
    assert sum(int(t[1].removeprefix("n = ")) for t in ticks) == few.validated.sum()
    medians = [line.get_ydata()[0] for line in axes.lines if line.get_color() == ORANGE]
    assert medians == [1, 1.5, 2]
    assert plot_levels(made) is None and plot_levels(make_predictions("b")) is None
