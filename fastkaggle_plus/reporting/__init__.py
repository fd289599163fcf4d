"""Plots, contact sheets of images, and a report in one static HTML file."""

from .contact_sheet import contact_sheet, show_augs
from .curves_plot import plot_curves
from .gain_plot import plot_gains
from .lr_plot import plot_lr_find
from .model_plot import plot_models
from .plots import (
    plot_calibration,
    plot_confused,
    plot_confusion,
    plot_importances,
    plot_levels,
    plot_residuals,
    plot_scores,
)
from .rebuild import rebuild_report
from .report import write_report
from .worst_rows import plot_worst_photos

__all__ = [
    "contact_sheet",
    "plot_calibration",
    "plot_confused",
    "plot_confusion",
    "plot_curves",
    "plot_gains",
    "plot_importances",
    "plot_levels",
    "plot_lr_find",
    "plot_models",
    "plot_residuals",
    "plot_scores",
    "plot_worst_photos",
    "rebuild_report",
    "show_augs",
    "write_report",
]
