"""Kaggle itself: sessions, competitions, submissions, notebooks, datasets. The only folder that imports `kaggle`, and only when a name is used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..environment import iskaggle
    from .competitions import LeaderboardRow, leaderboard, setup_comp
    from .datasets.api import check_ds_exists, get_dataset, mk_dataset, push_dataset
    from .datasets.keeping import keep_dataset
    from .datasets.versions import Dataset
    from .journal import Journal
    from .kernels.code_submitting import submit_code
    from .kernels.logs import LogEvent, kernel_logs
    from .kernels.metadata import nb_meta
    from .kernels.outputs import KernelOutput, kernel_output
    from .kernels.pushing import KernelVersion, push_notebook
    from .kernels.watching import KernelStatus, Quota, kernel_status, quota, wait_kernel
    from .libraries.api import create_libs_datasets, create_requirements_dataset, get_local_ds_ver, get_pip_libraries, get_pip_library
    from .libraries.sync import LibraryDataset
    from .looking import Submission
    from .session import connect, import_kaggle
    from .submitting import competition_submit, submissions, submit

__all__ = ["Dataset", "Journal", "KernelOutput", "KernelStatus", "KernelVersion", "LeaderboardRow", "LibraryDataset", "LogEvent", "Quota",
           "Submission", "check_ds_exists", "competition_submit", "connect", "create_libs_datasets", "create_requirements_dataset", "get_dataset",
           "get_local_ds_ver", "get_pip_libraries", "get_pip_library", "import_kaggle", "iskaggle", "keep_dataset", "kernel_logs", "kernel_output",
           "kernel_status", "leaderboard", "mk_dataset", "nb_meta", "push_dataset", "push_notebook", "quota", "setup_comp", "submissions", "submit",
           "submit_code", "wait_kernel"]

_HOME = {
    "iskaggle": "..environment",
    "import_kaggle": ".session", "connect": ".session",
    "setup_comp": ".competitions", "leaderboard": ".competitions", "LeaderboardRow": ".competitions",
    "submit": ".submitting", "competition_submit": ".submitting", "submissions": ".submitting", "Submission": ".looking",
    "Journal": ".journal",
    "nb_meta": ".kernels.metadata", "push_notebook": ".kernels.pushing", "KernelVersion": ".kernels.pushing",
    **dict.fromkeys(("kernel_status", "wait_kernel", "quota", "KernelStatus", "Quota"), ".kernels.watching"),
    "kernel_logs": ".kernels.logs", "LogEvent": ".kernels.logs", "kernel_output": ".kernels.outputs", "KernelOutput": ".kernels.outputs",
    "submit_code": ".kernels.code_submitting",
    **dict.fromkeys(("check_ds_exists", "mk_dataset", "get_dataset", "push_dataset"), ".datasets.api"), "Dataset": ".datasets.versions",
    "keep_dataset": ".datasets.keeping",
    **dict.fromkeys(("create_libs_datasets", "create_requirements_dataset", "get_local_ds_ver", "get_pip_library", "get_pip_libraries"), ".libraries.api"),
    "LibraryDataset": ".libraries.sync",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name], __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
