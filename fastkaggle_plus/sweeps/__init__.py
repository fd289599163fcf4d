"""Sweeps: declare trials, run them, resume what was interrupted, and rank what finished."""

from .board import BoardRow, board, winner
from .default_trials import default_trials, trials_of
from .repeats import Spread, repeat_spread, repeated
from .results_csv import write_results
from .run_local import run_local
from .run_ray import run_ray
from .search import Range, Search, grid, run_search, search_of
from .splits import folds_for
from .trial import Sweep, Trial, TrialResult
from .trial_versions import find_predictions
from .vault import Vault
from .vault_upkeep import check_vault, find_garbage, merge_vault, remove_garbage

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
    "check_vault",
    "default_trials",
    "find_garbage",
    "find_predictions",
    "folds_for",
    "grid",
    "merge_vault",
    "remove_garbage",
    "repeat_spread",
    "repeated",
    "run_local",
    "run_ray",
    "run_search",
    "search_of",
    "trials_of",
    "winner",
    "write_results",
]
