"""Sweeps: declare trials, run them, resume what was interrupted, and rank what finished."""

from .board import BoardRow, board, finished_predictions, winner
from .default_trials import declared_ensemble, default_trials, trials_of
from .experiments import experiment
from .hypothesis_log import LogEntry, hypothesis_log
from .repeats import Spread, repeat_spread, repeated
from .results_csv import write_results
from .run_local import run_local
from .run_ray import run_ray
from .search import Range, Search, grid, run_search, search_of
from .splits import folds_for
from .stored_log import stored_log
from .trial import Sweep, Trial, TrialResult
from .trial_versions import find_predictions
from .vault import Vault
from .vault_upkeep import check_vault, find_garbage, merge_vault, remove_garbage

__all__ = [
    "BoardRow",
    "LogEntry",
    "Range",
    "Search",
    "Spread",
    "Sweep",
    "Trial",
    "TrialResult",
    "Vault",
    "board",
    "check_vault",
    "declared_ensemble",
    "default_trials",
    "experiment",
    "find_garbage",
    "find_predictions",
    "finished_predictions",
    "folds_for",
    "grid",
    "hypothesis_log",
    "merge_vault",
    "remove_garbage",
    "repeat_spread",
    "repeated",
    "run_local",
    "run_ray",
    "run_search",
    "search_of",
    "stored_log",
    "trials_of",
    "winner",
    "write_results",
]
