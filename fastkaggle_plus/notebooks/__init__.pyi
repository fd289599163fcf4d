from .check import check_notebook, find_faults
from .default_metadata import kernel_metadata
from .finding import Finding
from .lesson import Lesson, all_lessons, write_lesson
from .log_notebook import write_log_notebook
from .quick import quick_copy, quick_trials, rows_kept
from .render import Rendered, render_notebook
from .runtime_estimate import (
    dry_run,
    folds_fitted,
    forecast_from_dry_run,
    forecast_s,
    lists_trained,
)

__all__ = [
    "Finding",
    "Lesson",
    "Rendered",
    "all_lessons",
    "check_notebook",
    "dry_run",
    "find_faults",
    "folds_fitted",
    "forecast_from_dry_run",
    "forecast_s",
    "kernel_metadata",
    "lists_trained",
    "quick_copy",
    "quick_trials",
    "render_notebook",
    "rows_kept",
    "write_lesson",
    "write_log_notebook",
]
