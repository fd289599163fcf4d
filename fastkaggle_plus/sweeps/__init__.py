"""Sweeps: declare trials, run them, resume what was interrupted, and rank what finished."""

from .board import BoardRow, board
from .default_trials import default_trials, trials_of
from .execution import folds_for
from .repeats import Spread, repeat_spread, repeated
from .results_csv import write_results
from .run_local import run_local
from .trial import Sweep, Trial, TrialResult
from .trial_versions import find_predictions
from .vault import Vault
from .vault_upkeep import check_vault, find_garbage, merge_vault, remove_garbage

__all__ = [
    "BoardRow",
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
    "merge_vault",
    "remove_garbage",
    "repeat_spread",
    "repeated",
    "run_local",
    "trials_of",
    "write_results",
]
