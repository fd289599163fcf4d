"""Rehearse, measure and submit Kaggle competitions.

    from fastkaggle_plus import *

Every name is loaded when it is first used: importing this package loads nothing else. What stands on torch or on a model
library is imported by name from `fastkaggle_plus.modeling`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .competition import Competition, list_comps, load_comp
    from .data import Data, Table
    from .ensembling import ensemble
    from .environment import iskaggle
    from .evidence import compare, most_confused, top_losses
    from .exceptions import FastkaggleError, KaggleError
    from .folds import make_folds
    from .kaggle_client import (
        check_ds_exists,
        competition_submit,
        create_libs_datasets,
        create_requirements_dataset,
        get_dataset,
        get_local_ds_ver,
        get_pip_libraries,
        get_pip_library,
        import_kaggle,
        kernel_logs,
        kernel_output,
        kernel_status,
        leaderboard,
        mk_dataset,
        nb_meta,
        push_dataset,
        push_notebook,
        quota,
        setup_comp,
        submissions,
        submit,
        submit_code,
        wait_kernel,
    )
    from .loop import run, sweep
    from .metrics import get_metric
    from .new import new_comp
    from .predictions import Predictions, load_predictions
    from .reading import apply_cleaning, check_images, image_sizes, read_tabular, undo_cleaning
    from .rehearsals import rehearsal
    from .sandbox import rehearse
    from .submission import check_file, check_submission, write_submission
    from .sweeps import Sweep, Trial, board, default_trials, folds_for, repeat_spread, repeated, run_local
    from .vault import Vault

_HOME = {
    "Competition": "competition", "list_comps": "competition", "load_comp": "competition",
    "Data": "data", "Table": "data",
    "ensemble": "ensembling",
    "iskaggle": "environment",
    "compare": "evidence", "most_confused": "evidence", "top_losses": "evidence",
    "FastkaggleError": "exceptions", "KaggleError": "exceptions",
    "make_folds": "folds",
    "competition_submit": "kaggle_client", "import_kaggle": "kaggle_client", "leaderboard": "kaggle_client", "setup_comp": "kaggle_client",
    "submissions": "kaggle_client", "submit": "kaggle_client",
    "kernel_logs": "kaggle_client", "kernel_output": "kaggle_client", "kernel_status": "kaggle_client", "nb_meta": "kaggle_client",
    "push_notebook": "kaggle_client", "quota": "kaggle_client", "submit_code": "kaggle_client", "wait_kernel": "kaggle_client",
    "check_ds_exists": "kaggle_client", "get_dataset": "kaggle_client", "mk_dataset": "kaggle_client", "push_dataset": "kaggle_client",
    "create_libs_datasets": "kaggle_client", "create_requirements_dataset": "kaggle_client", "get_local_ds_ver": "kaggle_client",
    "get_pip_libraries": "kaggle_client", "get_pip_library": "kaggle_client",
    "run": "loop", "sweep": "loop",
    "get_metric": "metrics",
    "new_comp": "new",
    "Predictions": "predictions", "load_predictions": "predictions",
    "apply_cleaning": "reading", "check_images": "reading", "image_sizes": "reading", "read_tabular": "reading", "undo_cleaning": "reading",
    "rehearsal": "rehearsals",
    "rehearse": "sandbox",
    "check_file": "submission", "check_submission": "submission", "write_submission": "submission",
    "Sweep": "sweeps", "Trial": "sweeps", "board": "sweeps", "default_trials": "sweeps", "folds_for": "sweeps", "repeat_spread": "sweeps",
    "repeated": "sweeps", "run_local": "sweeps",
    "Vault": "vault",
}

__all__ = [
    "Competition", "Data", "FastkaggleError", "KaggleError", "Predictions", "Sweep", "Table", "Trial", "Vault", "apply_cleaning", "board",
    "check_ds_exists", "check_file", "check_images", "check_submission", "compare", "competition_submit", "create_libs_datasets",
    "create_requirements_dataset", "default_trials", "ensemble", "folds_for", "get_dataset", "get_local_ds_ver", "get_metric", "get_pip_libraries",
    "get_pip_library", "image_sizes", "import_kaggle", "iskaggle", "kernel_logs", "kernel_output", "kernel_status", "leaderboard", "list_comps",
    "load_comp", "load_predictions", "make_folds", "mk_dataset", "most_confused", "nb_meta", "new_comp", "push_dataset", "push_notebook", "quota",
    "read_tabular", "rehearsal", "rehearse", "repeat_spread", "repeated", "run", "run_local", "setup_comp", "submissions", "submit", "submit_code",
    "sweep", "top_losses", "undo_cleaning", "wait_kernel", "write_submission",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f".{_HOME[name]}", __name__), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
