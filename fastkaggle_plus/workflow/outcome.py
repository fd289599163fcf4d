"""What a run or a sweep leaves behind, as records."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..competition import Competition
from ..predictions import Predictions
from ..sweeps.board import BoardRow, TrialResult
from ..sweeps.repeats import Spread


@dataclass(frozen=True)
class Standing:
    "Where a submission stands."

    public_score: float | None
    private_score: (
        float | None
    )  # None until the competition ends; the rehearsal's organiser tells it
    public_rank: int | None = None
    private_rank: int | None = None
    entries: tuple[
        dict[str, Any], ...
    ] = ()  # the sandbox's leaderboard: team, public_score, private_score


@dataclass(frozen=True, eq=False, kw_only=True)
class Swept:
    "What one sweep left behind."

    comp: Competition
    results: list[TrialResult]
    rows: list[BoardRow]
    repeats: list[Spread] = field(default_factory=list)  # of trials that ran with several seeds
    left_out: dict[str, str] = field(default_factory=dict)  # column -> why no model saw it
    seconds: dict[str, float] = field(default_factory=dict)  # where the time went

    @property
    def failed(self) -> dict[str, str]:
        "Tracebacks of the trials that failed."
        return {r.name: r.error for r in self.results if r.failed}

    @property
    def not_run(self) -> dict[str, str]:
        "Why trials beyond the budget did not run."
        return {r.name: r.error for r in self.results if r.not_run}

    def as_json(self) -> dict[str, Any]:
        "Return the facts of `fkp sweep --json`."
        return {
            "slug": self.comp.slug,
            "metric": self.comp.metric,
            "left_out": self.left_out,
            "trials": [r.as_json() for r in self.rows],
            "failed": self.failed,
            "not_run": self.not_run,
            "repeats": [asdict(s) for s in self.repeats],
            "seconds": round(sum(self.seconds.values()), 3),
            "seconds_by_step": {k: round(v, 3) for k, v in self.seconds.items()},
        }


@dataclass(frozen=True, eq=False, kw_only=True)
class Outcome(Swept):
    "What one turn of the loop left behind: a sweep, and what was made of it."

    ensemble: Predictions
    submission: Path
    sha256: str
    ref: int
    sent: bool  # False: the same submission was there already
    standing: Standing
    report: Path

    def as_json(self) -> dict[str, Any]:
        "Return the facts of `fkp run --json`."
        about = self.ensemble.about
        return {
            **super().as_json(),
            "ensemble": {
                "oof_score": self.ensemble.oof_score,
                **{k: about[k] for k in ("nested_score", "method", "weights")},
            },
            "submission": {
                "path": str(self.submission.resolve()),
                "sha256": self.sha256,
                "ref": self.ref,
                "sent": self.sent,
            },
            "public_score": self.standing.public_score,
            "private_score": self.standing.private_score,
            "public_rank": self.standing.public_rank,
            "entries": len(self.standing.entries),
            "report": str(self.report),
        }
