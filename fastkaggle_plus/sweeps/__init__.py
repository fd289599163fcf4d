"""Declared trials: what to run, where to run it, and what came of it."""

from __future__ import annotations

from .defaults import default_trials, trials_of
from .results import BoardRow, TrialResult, board, write_results
from .run_local import folds_for, run_local
from .trial import Sweep, Trial

__all__ = ["BoardRow", "Sweep", "Trial", "TrialResult", "board", "default_trials", "folds_for", "run_local", "trials_of", "write_results"]
