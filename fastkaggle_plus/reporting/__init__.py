"""Plots, contact sheets of images, and a report in one static HTML file."""

from .contact_sheet import contact_sheet, show_augs
from .curves_plot import plot_curves
from .explain_page import write_explanation
from .explain_plots import plot_dendrogram, plot_dependence, plot_permutation, plot_waterfall
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
    "plot_dendrogram",
    "plot_dependence",
    "plot_gains",
    "plot_importances",
    "plot_levels",
    "plot_lr_find",
    "plot_models",
    "plot_permutation",
    "plot_residuals",
    "plot_scores",
    "plot_waterfall",
    "plot_worst_photos",
    "rebuild_report",
    "show_augs",
    "write_explanation",
    "write_report",
]
