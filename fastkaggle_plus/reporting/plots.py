"""Plots of predictions. Each returns a matplotlib Figure and does not use pyplot."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ..evidence import most_confused
from ..evidence.pooling import pooled
from ..predictions import Predictions
from .figure import NotebookFigure

BLUE, ORANGE, GREY = "#2f6f9f", "#d9822b", "#8a969e"
_WIDTH_IN = 5.0  # of every plot, so that they fill a grid and a phone's screen
_FONT: Any = {"font.size": 11, "axes.titlesize": 12, "axes.labelsize": 11}
_MOST_CLASSES = 15  # readable in a confusion matrix
_MOST_LETTERS = 24  # of a name next to an axis
_MOST_LETTERS_BELOW = 28  # of all names below an axis; more are turned
_MOST_LEVELS = 12  # readable as boxes
_MOST_DOTS = 3000  # more only make the file larger


def plot_scores(members: Sequence[Predictions]) -> Figure:
    """Draw each oof_score with two standard errors, and its fold scores, best on top.

    Repeats of a trial are drawn as one, with their mean.
    """
    metric, ranked = members[0].scoring, pooled(members)[::-1]
    better = "higher" if metric.higher_is_better else "lower"
    is_holdout = all(len(p.fold_scores) == 1 for p in members)
    kind = "Held-out" if is_holdout else "CV"
    title = f"{kind} score: {metric.name}, {better} is better"
    figure, axes = new_axes(1.0 + 0.3 * len(ranked), title)
    for i, p in enumerate(ranked):
        of_folds = [score for preds in p.repeats for score in preds.fold_scores]
        axes.scatter(of_folds, [i] * len(of_folds), s=12, color=GREY, zorder=1)
        color, se = ORANGE if p is ranked[-1] else BLUE, 2 * p.score_se
        axes.errorbar(p.score, i, xerr=se, fmt="o", color=color, capsize=3, zorder=2)
    axes.set_yticks(range(len(ranked)), [shortened(p.name) for p in ranked])
    axes.set_xlabel("± 2 standard errors" + ("" if is_holdout else "; grey: single folds"))
    axes.set_ylim(-0.7, len(ranked) - 0.3)
    axes.locator_params(axis="x", nbins=5)
    return figure


def plot_confusion(preds: Predictions) -> Figure | None:
    """Draw the confusion matrix of the out-of-fold labels.

    Returns None for a regression and for more classes than are readable.
    """
    n = len(preds.vocab)
    if not 2 <= n <= _MOST_CLASSES:
        return None
    rows = preds.validated
    counts = np.zeros((n, n), dtype=int)
    np.add.at(counts, (preds.targs[rows], preds.oof[rows].argmax(1)), 1)
    shares = counts / counts.sum(1, keepdims=True).clip(1)
    figure, axes = new_axes(max(3.2, 1.6 + min(0.55 * n, 3.6)), "Confusion, out of fold")
    for (i, j), count in np.ndenumerate(counts):
        cell = Rectangle((j - 0.5, i - 0.5), 1, 1, color=BLUE, alpha=shares[i, j], linewidth=0)
        axes.add_patch(cell)
        color = "white" if shares[i, j] > 0.6 else "black"
        style: dict[str, Any] = dict(ha="center", va="center", fontsize=10 if n < 8 else 8)
        axes.text(j, i, count or "", color=color, **style)
    names = [shortened(v) for v in preds.vocab]
    is_short = sum(map(len, names)) <= _MOST_LETTERS_BELOW
    rotation, align = (0, "center") if is_short else (45, "right")
    axes.set_xticks(range(n), names, rotation=rotation, ha=align, rotation_mode="anchor")
    axes.set_yticks(range(n), names)
    axes.set(xlabel="predicted", ylabel="truth", xlim=(-0.5, n - 0.5), ylim=(n - 0.5, -0.5))
    return figure


def plot_confused(preds: Predictions, *, top: int = 10) -> Figure | None:
    """Draw the most frequent confusions, None if there are none, and for a regression."""
    if not preds.vocab or not len(pairs := most_confused(preds).head(top)[::-1]):
        return None
    figure, axes = new_axes(0.9 + 0.3 * len(pairs), "Most frequent confusions, out of fold")
    names = [
        f"{shortened(row.label)} \N{RIGHTWARDS ARROW} {shortened(row.predicted)}"
        for row in pairs.itertuples()
    ]
    bars = axes.barh(names, pairs["count"], color=BLUE)
    axes.bar_label(bars, padding=3)
    axes.set_xlabel("rows: truth \N{RIGHTWARDS ARROW} predicted")
    axes.set_xlim(0, 1.15 * pairs["count"].max())
    axes.locator_params(axis="x", nbins=4, integer=True)
    return figure


def plot_calibration(preds: Predictions, *, bins: int = 10) -> Figure | None:
    """Draw how often a class is right against its probability, None for a regression.

    The class is the second of two classes, or the likeliest of several.
    """
    if not preds.vocab:
        return None
    oof, targs = preds.oof[preds.validated], preds.targs[preds.validated]
    if len(preds.vocab) == 2:
        name, probability, is_right = f"class {preds.vocab[1]}", oof[:, 1], targs == 1
    else:
        name, probability, is_right = "likeliest class", oof.max(1), targs == oof.argmax(1)
    figure, axes = new_axes(4.0, f"Calibration, out of fold ({name})")
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=1)
    bin_of_row = np.clip((probability * bins).astype(int), 0, bins - 1)
    for k in np.unique(bin_of_row):
        rows = bin_of_row == k
        share, n = is_right[rows].mean(), int(rows.sum())
        se, size = np.sqrt(max(share * (1 - share), 1 / n / 4) / n), 3 + 7 * n / len(targs)
        x = probability[rows].mean()
        axes.errorbar(x, share, yerr=2 * se, fmt="o", color=BLUE, markersize=size)
    axes.set(xlabel="predicted probability", ylabel="share that happened, ± 2 SE")
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    return figure


def plot_residuals(preds: Predictions) -> Figure | None:
    """Draw out-of-fold predictions against the truth (first target); None for classes."""
    if preds.vocab:
        return None
    truth, guess = _first_target(preds)
    some = np.random.default_rng(0).permutation(len(truth))[:_MOST_DOTS]
    truth, guess = truth[some], guess[some]
    figure, axes = new_axes(4.0, "Predicted against true, out of fold")
    axes.scatter(truth, guess, s=6, alpha=0.4, color=BLUE, linewidths=0)
    ends = [min(truth.min(), guess.min()), max(truth.max(), guess.max())]
    axes.plot(ends, ends, color=GREY, linewidth=1)
    axes.set(xlabel="true", ylabel="predicted")
    return figure


def plot_levels(preds: Predictions) -> Figure | None:
    """Draw a box of the out-of-fold predictions for each true value (first target).

    Returns None for classes, and for more values than boxes are readable.
    """
    if preds.vocab:
        return None
    truth, guess = _first_target(preds)
    levels, counts = np.unique(truth, return_counts=True)
    if len(levels) > _MOST_LEVELS:
        return None
    figure, axes = new_axes(4.0, "Predicted for each true value, out of fold")
    style: dict[str, Any] = dict(
        flierprops={"markersize": 3, "markeredgecolor": GREY},
        medianprops={"color": ORANGE, "linewidth": 2},
        boxprops={"facecolor": BLUE, "alpha": 0.6},
    )
    values = [guess[truth == level] for level in levels]
    axes.boxplot(values, widths=0.6, patch_artist=True, showcaps=False, **style)
    places = range(1, len(levels) + 1)
    axes.plot(places, levels, "D", color="black", markersize=5)
    names = [f"{level:g}\nn = {n}" for level, n in zip(levels, counts, strict=True)]
    axes.set_xticks(places, names)
    axes.set(xlabel="true (diamond: the value itself)", ylabel="predicted")
    return figure


def plot_importances(preds: Predictions, *, top: int = 15) -> Figure | None:
    """Draw the most important features; None if the model gives no importances."""
    if not preds.importances:
        return None
    ranked = sorted(preds.importances.items(), key=lambda feature: feature[1])[-top:]
    title = f"What {shortened(preds.name)} relies on"
    figure, axes = new_axes(0.9 + 0.26 * len(ranked), title)
    names, shares = zip(*ranked, strict=True)
    axes.barh([shortened(name) for name in names], shares, color=BLUE)
    axes.set_xlabel("share of the importance, mean over folds")
    axes.locator_params(axis="x", nbins=5)
    return figure


def new_axes(height_in: float, title: str) -> tuple[Figure, Any]:
    """Return a figure of the common width and font, and its axes."""
    with rc_context(_FONT):
        figure = NotebookFigure(figsize=(_WIDTH_IN, height_in), layout="constrained")
        axes = figure.add_subplot()
        axes.tick_params(labelsize=10)
    figure.suptitle(title, x=0.01, ha="left", fontsize=12)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def shortened(name: object) -> str:
    """Return a name that fits next to an axis."""
    text = str(name)
    return text if len(text) <= _MOST_LETTERS else f"{text[: _MOST_LETTERS - 1]}…"


def _first_target(preds: Predictions) -> tuple[np.ndarray, np.ndarray]:
    """Return true and predicted values of the first target, for the validated rows."""
    rows = preds.validated
    return preds.targs.reshape(len(preds.targs), -1)[rows, 0], preds.oof[rows, 0]
