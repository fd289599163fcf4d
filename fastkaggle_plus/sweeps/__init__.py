"""Declared trials: what to run, where to run it, and what came of it."""

from __future__ import annotations

from .board import BoardRow, TrialResult, board, in_vault, write_results
from .default_trials import default_trials, trials_of
from .repeats import Spread, repeat_spread, repeated
from .run_local import folds_for, run_local
from .trial import Sweep, Trial

__all__ = [
    "BoardRow",
    "Spread",
    "Sweep",
    "Trial",
    "TrialResult",
    "board",
    "default_trials",
    "folds_for",
    "in_vault",
    "repeat_spread",
    "repeated",
    "run_local",
    "trials_of",
    "write_results",
]
