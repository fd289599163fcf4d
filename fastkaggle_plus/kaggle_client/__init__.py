"""Kaggle itself: sessions, competitions, submissions. The only folder that imports `kaggle`, and only when a name is used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..environment import iskaggle
    from .competitions import LeaderboardRow, leaderboard, setup_comp
    from .journal import Journal
    from .session import connect, import_kaggle
    from .submitting import Submission, competition_submit, submissions, submit

__all__ = ["Journal", "LeaderboardRow", "Submission", "competition_submit", "connect", "import_kaggle", "iskaggle", "leaderboard",
           "setup_comp", "submissions", "submit"]

_HOME = {
    "iskaggle": "..environment",
    "import_kaggle": ".session", "connect": ".session",
    "setup_comp": ".competitions", "leaderboard": ".competitions", "LeaderboardRow": ".competitions",
    "submit": ".submitting", "competition_submit": ".submitting", "submissions": ".submitting", "Submission": ".submitting",
    "Journal": ".journal",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name], __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
