"""The plot of lr_find: the loss at growing learning rates, with the suggested rates."""

import numpy as np
from matplotlib.figure import Figure

from ..modeling import LearningRates
from .figure import NotebookFigure

_MARKERS = {"valley": ("o", "#2f6f9f"), "slide": ("s", "#d9822b")}


def plot_lr_find(
    rates: LearningRates,  # from `lr_find`
) -> Figure:
    """Draw the smoothed loss over the learning rate (log), with the suggestions of both rules."""
    figure = NotebookFigure(figsize=(5.0, 3.4), layout="constrained")
    axes = figure.add_subplot()
    is_number = np.isfinite(rates.losses)
    lrs, losses = rates.lrs[is_number], rates.losses[is_number]
    axes.plot(lrs, losses, color="#8a969e", zorder=1)
    for name, (marker, color) in _MARKERS.items():
        lr = getattr(rates, name)
        loss = np.interp(np.log(lr), np.log(lrs), losses)
        axes.scatter(lr, loss, marker=marker, color=color, label=f"{name}: {lr:.2g}", zorder=2)
    low, start = losses.min(), losses[: max(1, len(losses) // 5)].max()
    margin = 0.15 * (start - low) + 1e-3
    axes.set_ylim(low - margin, start + 3 * margin)  # an exploding loss would hide the slope
    axes.set_xscale("log")
    axes.set(xlabel="learning rate (log)", ylabel="training loss, smoothed")
    axes.set_title("Learning rate finder", loc="left", fontsize=12)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    return figure
