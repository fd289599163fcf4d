"""Plots of the answers to questions to a table; see `modeling.explain_model`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from .plots import BLUE, GREY, ORANGE, new_axes, shortened

if TYPE_CHECKING:
    from ..modeling.explain.contributions import Contributions
    from ..modeling.explain.dependence import Dependence
    from ..modeling.explain.redundancy import Redundancy

_MOST_ROWS = 15
_MOST_STEPS = 9  # of a waterfall
_MOST_LINES = 60  # of single rows
_ENDS = (0.02, 0.98)  # quantiles of the rows' curves to show: a few would hide the mean


def plot_permutation(importances: pd.DataFrame) -> Figure:
    """Draw the loss by shuffling each column with its 95% interval, the largest on top."""
    shown = importances[:_MOST_ROWS][::-1]
    figure, axes = new_axes(1.1 + 0.28 * len(shown), "Loss of score if shuffled, out of fold")
    axes.axvline(0, color=GREY, linewidth=1)
    for i, row in enumerate(shown.to_dict("records")):
        color, half = BLUE if row["low"] > 0 else GREY, row["high"] - row["loss"]
        axes.errorbar(row["loss"], i, xerr=half, fmt="o", color=color, capsize=3)
    axes.set_yticks(range(len(shown)), shown["column"].map(shortened))
    axes.set_xlabel("95% interval; grey: no effect is seen")
    axes.locator_params(axis="x", nbins=5)
    return figure


def plot_dendrogram(redundancy: Redundancy) -> Figure | None:
    """Draw the clusters of features by rank correlation; None for a single feature."""
    from scipy.cluster.hierarchy import dendrogram

    if not len(redundancy.linkage):
        return None
    n, tree = len(redundancy.names), redundancy.linkage
    figure, axes = new_axes(1.1 + 0.24 * n, "Features that rank the rows in the same order")
    limit = 1 - redundancy.threshold
    dendrogram(
        tree,
        orientation="left",
        labels=[shortened(name) for name in redundancy.names],
        ax=axes,
        leaf_font_size=10,
        link_color_func=lambda k: ORANGE if tree[k - n, 2] <= limit else GREY,
    )
    axes.axvline(limit, color=BLUE, linewidth=1, linestyle=":")
    ticks = [0, 0.25, 0.5, 0.75, 1]
    axes.set_xticks(ticks, [f"{1 - t:g}" for t in ticks])
    axes.set_xlabel("rank correlation; dotted: redundant")
    axes.spines["left"].set_visible(False)
    return figure


def plot_dependence(dependence: Dependence) -> Figure:
    """Draw the mean prediction as a feature changes, and some rows; of two features, a grid."""
    if len(dependence.columns) == 2:
        return _plot_pair(dependence)
    [name], [grid], mean = dependence.columns, dependence.grid, dependence.mean
    figure, axes = new_axes(3.2, f"{shortened(name)}: partial dependence, out of fold")
    is_number = grid.dtype != object
    x = grid if is_number else np.arange(len(grid))
    rows = dependence.curves[:_MOST_LINES]
    axes.plot(x, rows.T, color=GREY, linewidth=0.6, alpha=0.45)
    style = "-" if is_number else "D"
    axes.plot(x, mean, style, color=BLUE, linewidth=2.5)
    if dependence.inside:
        axes.axvspan(*dependence.inside, color=GREY, alpha=0.15, linewidth=0)
        axes.set_title("shaded: the training range", fontsize=10, loc="left")
    if not is_number:
        axes.set_xticks(x, [shortened(level) for level in grid], rotation=30, ha="right")
    low, high = np.quantile(rows, _ENDS)
    axes.set_ylim(min(low, mean.min()), max(high, mean.max()))
    axes.set(xlabel=f"{shortened(name)}; grey: single rows", ylabel=dependence.output)
    return figure


def plot_waterfall(parts: Contributions) -> Figure:
    """Draw how the columns lead from the start to the prediction of one row."""
    steps = list(parts.parts.items())
    shown, rest = steps[:_MOST_STEPS], steps[_MOST_STEPS:]
    names = [f"{shortened(c)} = {shortened(parts.values[c])}" for c, _ in shown]
    sizes = [part for _, part in shown]
    if rest:
        names.append(f"{len(rest)} more columns")
        sizes.append(sum(part for _, part in rest))
    ends = parts.start + np.cumsum([0.0, *sizes])
    figure, axes = new_axes(1.4 + 0.3 * len(sizes), f"Row {shortened(parts.id)}, out of fold")
    for i, (size, left) in enumerate(zip(sizes, ends[:-1], strict=True)):
        axes.barh(i, size, left=left, color=BLUE if size > 0 else ORANGE)
        axes.text(max(left, left + size), i, f" {size:+.3g}", va="center", fontsize=9)
    axes.axvline(parts.start, color=GREY, linewidth=1, linestyle=":")
    axes.axvline(parts.end, color=GREY, linewidth=1)
    axes.set_yticks(range(len(sizes)), names)
    axes.invert_yaxis()
    axes.margins(x=0.18)
    axes.locator_params(axis="x", nbins=5)
    axes.set_xlabel(f"{parts.start:.4g} (dotted) to {parts.end:.4g}: {parts.output}")
    return figure


def _plot_pair(dependence: Dependence) -> Figure:
    """Draw the mean prediction over two features: a line for each value of the second."""
    (first, second), (x, other) = dependence.columns, dependence.grid
    figure, axes = new_axes(3.2, f"{shortened(first)} x {shortened(second)}, out of fold")
    places = x if x.dtype != object else np.arange(len(x))
    shades = np.linspace(0.25, 1, len(other))
    for j, (value, shade) in enumerate(zip(other, shades, strict=True)):
        label = f"{value:.3g}" if other.dtype != object else shortened(value)
        axes.plot(places, dependence.mean[:, j], color=BLUE, alpha=shade, label=label)
    if x.dtype == object:
        axes.set_xticks(places, [shortened(level) for level in x], rotation=30, ha="right")
    axes.set(xlabel=shortened(first), ylabel=dependence.output)
    axes.legend(title=shortened(second), frameon=False, fontsize=8, title_fontsize=9)
    return figure
