"""Sweeps: declare trials, run them, resume what was interrupted, and rank what finished."""

from .board import BoardRow, board, winner
from .default_trials import default_trials, trials_of
from .execution import folds_for
from .repeats import Spread, repeat_spread, repeated
from .results_csv import write_results
from .run_local import run_local
from .search import Range, Search, grid, run_search, search_of
from .trial import Sweep, Trial, TrialResult
from .trial_versions import find_predictions
from .vault import Vault

__all__ = [
    "BoardRow",
    "Range",
    "Search",
    "Spread",
    "Sweep",
    "Trial",
    "TrialResult",
    "Vault",
    "board",
    "default_trials",
    "find_predictions",
    "folds_for",
    "grid",
    "repeat_spread",
    "repeated",
    "run_local",
    "run_search",
    "search_of",
    "trials_of",
    "winner",
    "write_results",
]
