"""Kaggle itself: sessions, competitions, submissions, notebooks. The only folder that imports `kaggle`, and only when a name is used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..environment import iskaggle
    from .code_submitting import submit_code
    from .competitions import LeaderboardRow, leaderboard, setup_comp
    from .journal import Journal
    from .kernels import KernelStatus, Quota, kernel_status, quota, wait_kernel
    from .logs import LogEvent, kernel_logs
    from .looking import Submission
    from .metadata import nb_meta
    from .outputs import KernelOutput, kernel_output
    from .pushing import KernelVersion, push_notebook
    from .session import connect, import_kaggle
    from .submitting import competition_submit, submissions, submit

__all__ = ["Journal", "KernelOutput", "KernelStatus", "KernelVersion", "LeaderboardRow", "LogEvent", "Quota", "Submission", "competition_submit",
           "connect", "import_kaggle", "iskaggle", "kernel_logs", "kernel_output", "kernel_status", "leaderboard", "nb_meta", "push_notebook", "quota",
           "setup_comp", "submissions", "submit", "submit_code", "wait_kernel"]

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
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name], __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
