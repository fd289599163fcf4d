"""The plot of how a net learned: its losses and its score after each epoch."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ..predictions import Predictions
from .plots import BLUE, GREY, ORANGE, new_axes, shortened


def plot_curves(preds: Predictions) -> Figure | None:
    """Draw losses and score over the epochs, a thin line for each fit and a thick one for the mean.

    Returns None for a model without epochs. The rows that are validated were not fitted on.
    """
    curves = preds.about.get("curves", [])
    if not curves:
        return None
    stopped = any(curve["stopped"] for curve in curves)
    figure, losses = new_axes(4.6, f"How {shortened(preds.name)} learned")
    grid = figure.add_gridspec(2, 1)
    losses.set_subplotspec(grid[0])
    scores = figure.add_subplot(grid[1], sharex=losses)
    scores.spines[["top", "right"]].set_visible(False)
    scores.tick_params(labelsize=10)
    _draw(losses, curves, "train_loss", color=GREY, label="training loss")
    _draw(losses, curves, "valid_loss", color=BLUE, label="validation loss")
    _draw(scores, curves, "score", color=ORANGE, label=f"{preds.metric}, validation")
    for axes in (losses, scores):
        axes.legend(frameon=False, fontsize=10)
    scores.set_xlabel("epoch; dot: stopped early, these weights are used" if stopped else "epoch")
    scores.locator_params(axis="x", integer=True)
    losses.tick_params(labelbottom=False)
    return figure


def _draw(
    axes: Any, curves: Sequence[dict[str, Any]], name: str, *, color: str, label: str
) -> None:
    style: dict[str, Any] = dict(color=color, marker="." if _is_point(curves) else "")
    values: dict[int, list[float]] = {}  # of the fits, by epoch
    for curve in curves:
        axes.plot(curve["epochs"], curve[name], linewidth=0.8, alpha=0.5, **style)
        for epoch, value in zip(curve["epochs"], curve[name], strict=True):
            values.setdefault(epoch, []).append(value)
        if curve["stopped"] and name != "train_loss":
            epoch = curve["kept"] or curve["stopped"]
            axes.plot(epoch, np.interp(epoch, curve["epochs"], curve[name]), "o", color=color)
    # a mean of fewer fits would jump where some of them end
    shared = [epoch for epoch in sorted(values) if len(values[epoch]) == len(curves)]
    axes.plot(shared, [np.mean(values[e]) for e in shared], linewidth=2, label=label, **style)


def _is_point(curves: Sequence[dict[str, Any]]) -> bool:
    return max(len(curve["epochs"]) for curve in curves) == 1
