"""Kaggle itself: sessions, competitions, submissions, notebooks, datasets. The only folder that imports `kaggle`, and only when a name is used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..environment import iskaggle
    from .code_submitting import submit_code
    from .competitions import LeaderboardRow, leaderboard, setup_comp
    from .dataset_versions import Dataset
    from .datasets import check_ds_exists, get_dataset, mk_dataset, push_dataset
    from .journal import Journal
    from .kernels import KernelStatus, Quota, kernel_status, quota, wait_kernel
    from .libraries import (
        create_libs_datasets,
        create_requirements_dataset,
        get_local_ds_ver,
        get_pip_libraries,
        get_pip_library,
    )
    from .library_sync import LibraryDataset
    from .logs import LogEvent, kernel_logs
    from .looking import Submission
    from .metadata import nb_meta
    from .outputs import KernelOutput, kernel_output
    from .pushing import KernelVersion, push_notebook
    from .session import connect, import_kaggle
    from .submitting import competition_submit, submissions, submit

__all__ = ["Dataset", "Journal", "KernelOutput", "KernelStatus", "KernelVersion", "LeaderboardRow", "LibraryDataset", "LogEvent", "Quota",
           "Submission", "check_ds_exists", "competition_submit", "connect", "create_libs_datasets", "create_requirements_dataset", "get_dataset",
           "get_local_ds_ver", "get_pip_libraries", "get_pip_library", "import_kaggle", "iskaggle", "kernel_logs", "kernel_output", "kernel_status",
           "leaderboard", "mk_dataset", "nb_meta", "push_dataset", "push_notebook", "quota", "setup_comp", "submissions", "submit", "submit_code",
           "wait_kernel"]

_HOME = {
    "iskaggle": "..environment",
    "import_kaggle": ".session", "connect": ".session",
    "setup_comp": ".competitions", "leaderboard": ".competitions", "LeaderboardRow": ".competitions",
    "submit": ".submitting", "competition_submit": ".submitting", "submissions": ".submitting", "Submission": ".looking",
    "Journal": ".journal",
    "nb_meta": ".metadata", "push_notebook": ".pushing", "KernelVersion": ".pushing",
    "kernel_status": ".kernels", "wait_kernel": ".kernels", "quota": ".kernels", "KernelStatus": ".kernels", "Quota": ".kernels",
    "kernel_logs": ".logs", "LogEvent": ".logs", "kernel_output": ".outputs", "KernelOutput": ".outputs",
    "submit_code": ".code_submitting",
    "Dataset": ".dataset_versions",
    "check_ds_exists": ".datasets", "mk_dataset": ".datasets", "get_dataset": ".datasets", "push_dataset": ".datasets",
    "LibraryDataset": ".library_sync", "create_libs_datasets": ".libraries", "create_requirements_dataset": ".libraries",
    "get_local_ds_ver": ".libraries", "get_pip_library": ".libraries", "get_pip_libraries": ".libraries",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name], __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
