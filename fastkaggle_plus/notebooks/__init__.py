"""Notebooks for Kaggle: rendered from a competition's folder, complete in themselves, and checked before any push."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .check import Finding, check_notebook, find_faults
    from .forecast import dry_run, forecast_from_dry_run, forecast_s, measured_seconds, runs_trials
    from .metadata import kernel_metadata, slugify
    from .quick import quick_copy, quick_trials, rows_kept
    from .render import Rendered, render_notebook

__all__ = ["Finding", "Rendered", "check_notebook", "dry_run", "find_faults", "forecast_from_dry_run", "forecast_s", "kernel_metadata",
           "measured_seconds", "quick_copy", "quick_trials", "render_notebook", "rows_kept", "runs_trials", "slugify"]

_HOME = {
    "Finding": "check", "check_notebook": "check", "find_faults": "check",
    "dry_run": "forecast", "forecast_from_dry_run": "forecast", "forecast_s": "forecast", "measured_seconds": "forecast",
    "runs_trials": "forecast",
    "kernel_metadata": "metadata", "slugify": "metadata",
    "quick_copy": "quick", "quick_trials": "quick", "rows_kept": "quick",
    "Rendered": "render", "render_notebook": "render",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
