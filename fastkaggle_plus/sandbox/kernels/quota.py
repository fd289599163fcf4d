"""What an account may use: sessions at once, accelerator hours a week, run time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta


@dataclass(frozen=True)
class Limits:
    "The limits of the sandbox's account; Kaggle's, but for the accelerator hours, which are few so that a rehearsal can meet their end."

    sessions: Mapping[str, int] = field(
        default_factory=lambda: {"": 5, "gpu": 2, "tpu": 1}
    )  # at once; "": without accelerator
    quota_s: Mapping[str, float] = field(
        default_factory=lambda: {"gpu": 3600.0, "tpu": 1800.0}
    )  # a week
    session_s: float = 12 * 3600  # a run, at most
    rerun_s: float = 9 * 3600  # a scoring run, at most
    layout: str = "2026"  # of /kaggle/input: 2026 | 2022


@dataclass(frozen=True)
class Quota:
    "One accelerator's week."

    used_s: float
    reserved_s: float
    total_s: float
    has_ever_run: bool


def week_start() -> datetime:
    "Return when this week's quota began: Saturday, 00:00 UTC."
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return today - timedelta(days=(today.weekday() + 2) % 7)
