"""The limits of an account: submissions a day, kernel sessions, accelerator hours, sizes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from ..competition import Competition


@dataclass(frozen=True)
class Limits:
    """The limits on kernels and downloads, by default as on Kaggle."""

    # at the same time; "" is a session without an accelerator
    sessions: Mapping[str, int] = field(default_factory=lambda: {"": 5, "gpu": 2, "tpu": 1})
    # a week; an accelerator that is left out has none
    quota_s: Mapping[str, float] = field(
        default_factory=lambda: {"gpu": 30 * 3600.0, "tpu": 20 * 3600.0}
    )
    # Seconds that count as an hour of a quota; with fewer, 30 hours are over sooner.
    seconds_per_hour: float = 3600.0
    session_s: float = 12 * 3600  # the longest run
    tpu_session_s: float = 9 * 3600  # the longest run on a TPU
    rerun_s: float = 9 * 3600  # the longest scoring run
    layout: str = "2026"  # of /kaggle/input: 2026 | 2022
    # A larger file, downloaded alone, arrives in a zip. Kaggle does not publish its value.
    zip_above_bytes: int = 10 << 20


@dataclass(frozen=True)
class Quota:
    """The use of one accelerator this week."""

    used_s: float
    total_s: float
    has_ever_run: bool


def daily_submissions(comp: Competition) -> int:
    """Return the submissions a team may make in one UTC day; [sandbox] in the toml file wins."""
    own = comp.sandbox.max_daily_submissions
    return comp.max_daily_submissions if own is None else own


def week_start() -> datetime:
    """Return when this week's quota began: Saturday, 00:00 UTC."""
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return today - timedelta(days=(today.weekday() + 2) % 7)
