"""The plot of lr_find shows both suggestions, and the slope in spite of an exploding loss."""

import numpy as np

from fastkaggle_plus.modeling import LearningRates
from fastkaggle_plus.reporting import plot_lr_find


def test_both_suggestions_are_on_the_curve():
    lrs = np.logspace(-7, 1, 100)
    losses = np.where(lrs < 0.1, 2 - np.log10(lrs / 1e-7) / 4, 2e3 * lrs)
    figure = plot_lr_find(LearningRates(1e-3, 1e-2, lrs, np.append(losses[:-1], np.nan)))
    [axes] = figure.axes
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ["valley: 0.001", "slide: 0.01"] and axes.get_xscale() == "log"
    low, high = axes.get_ylim()
    assert low < losses[lrs < 0.1].min() and 2 < high < 4
    places = [tuple(marks.get_offsets()[0]) for marks in axes.collections]
    np.testing.assert_allclose(places, [(1e-3, 1.0), (1e-2, 0.75)], atol=0.02)
    assert figure._repr_png_()[:4] == b"\x89PNG"
