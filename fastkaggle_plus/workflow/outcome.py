"""The records that a sweep, a run and a push return, and their JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..competition import Competition
from ..evidence import Winner
from ..predictions import Predictions
from ..sweeps.board import Board, BoardRow
from ..sweeps.pruning import FoldScores
from ..sweeps.repeats import Spread
from ..sweeps.trial import Trial, TrialResult
from ..ui.records import Shown, joined, shown_score

if TYPE_CHECKING:
    from ..kaggle_client import KernelOutput, KernelStatus, KernelVersion, Submission
    from ..notebooks import Rendered


@dataclass(frozen=True)
class Standing:
    """The scores and ranks of a submission."""

    public_score: float | None
    private_score: float | None  # on Kaggle None until the competition ends
    public_rank: int | None = None
    private_rank: int | None = None
    entries: tuple[dict[str, Any], ...] = ()  # the sandbox's leaderboard: team and scores


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class SweepOutcome(Shown):
    """The results of one sweep."""

    comp: Competition
    results: list[TrialResult]
    rows: list[BoardRow]
    repeats: list[Spread] = field(default_factory=list)  # of trials that ran more than once
    left_out: dict[str, str] = field(default_factory=dict)  # column -> why no model used it
    notes: dict[str, str] = field(default_factory=dict)  # `Data.notes`
    seconds: dict[str, float] = field(default_factory=dict)  # by step

    def __repr__(self) -> str:
        return f"{super().__repr__()}\n\n{Board(self.rows)!r}"

    def _repr_html_(self) -> str:
        return super()._repr_html_() + Board(self.rows)._repr_html_()

    def _facts(self) -> dict[str, object]:
        return {
            "competition": self.comp.slug,
            "metric": self.comp.metric,
            "failed": joined(list(self.failed)),
            "not run": joined(list(self.not_run)),
            "seconds": f"{sum(self.seconds.values()):.1f}",
        }

    @property
    def failed(self) -> dict[str, str]:
        """Return the tracebacks of the trials that failed."""
        return {r.name: r.error for r in self.results if r.failed}

    @property
    def not_run(self) -> dict[str, str]:
        """Return why trials beyond the budget did not run."""
        return {r.name: r.error for r in self.results if r.not_run}

    @property
    def trial_seconds(self) -> dict[str, dict[str, float]]:
        """Return the seconds of each trial that ran, the longest first: read, fit, predict, ...

        A trial on a GPU has its seconds in gpu too.
        """
        ran = [r.predictions for r in self.results if r.predictions and not r.reused]
        ran.sort(key=lambda preds: -preds.seconds_s)
        return {
            p.name: {"all": p.seconds_s, **p.about.get("seconds", {})}
            | ({"gpu": p.seconds_s} if "gpu_peak_mb" in p.about else {})
            for p in ran
        }

    def as_json(self) -> dict[str, Any]:
        """Return the value of `fkp sweep --json`."""
        return {
            "slug": self.comp.slug,
            "metric": self.comp.metric,
            "left_out": self.left_out,
            "notes": self.notes,
            "trials": [r.as_json() for r in self.rows],
            "failed": self.failed,
            "not_run": self.not_run,
            "repeats": [asdict(s) for s in self.repeats],
            "seconds_by_trial": self.trial_seconds,
            **_seconds_json(self.seconds),
        }


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class SearchOutcome(SweepOutcome):
    """The results of one search: its trials, and the best with a corrected score."""

    winner: Winner | None  # None: no trial finished

    def _facts(self) -> dict[str, object]:
        return {
            **super()._facts(),
            "pruned": f"{len(self.pruned)} of {len(self.results)}",
            "winner": self.winner and f"{self.winner.name}: {self.winner}",
        }

    @property
    def best(self) -> Trial | None:
        """The best trial, as declared: paste it into trials.py."""
        return next(
            (r.trial for r in self.results if self.winner and r.name == self.winner.name), None
        )

    @property
    def pruned(self) -> dict[str, FoldScores]:
        """Return the fold scores of the trials that were stopped."""
        return {r.name: r.fold_scores for r in self.results if r.is_pruned}

    @property
    def folds_fitted(self) -> int:
        """Return the number of folds that were fitted, by all trials."""
        finished = sum(len(r.predictions.fold_scores) for r in self.results if r.predictions)
        return finished + sum(map(len, self.pruned.values()))

    def as_json(self) -> dict[str, Any]:
        """Return the value of `fkp search --json`."""
        return {
            **super().as_json(),
            "winner": self.winner and asdict(self.winner),
            "best": self.best and asdict(self.best),
            "pruned": self.pruned,
            "folds_fitted": self.folds_fitted,
        }


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class RunOutcome(SweepOutcome):
    """The results of one run: a sweep, its ensemble and the submission."""

    ensemble: Predictions
    submission: Path
    sha256: str
    ref: int  # 0: the user chose not to send it
    sent: bool  # False: the same submission existed already, or it was not sent
    standing: Standing
    report: Path

    def _facts(self) -> dict[str, object]:
        combined, weights = self.ensemble, self.ensemble.about["weights"]
        shares = joined({name: round(w, 2) for name, w in weights.items() if w})
        return {
            **super()._facts(),
            "ensemble": f"CV score {combined.oof_score:.4f} ± {combined.oof_score_se:.4f}",
            "weights": shares,
            **_standing_facts(self.standing),
            "submission": f"{self.submission}, number {self.ref}"
            + ("" if self.sent else ", was sent before"),
            "report": self.report,
        }

    def as_json(self) -> dict[str, Any]:
        """Return the value of `fkp run --json`."""
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


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class PushOutcome(Shown):
    """The results of one push. Fields of steps that did not run are None."""

    comp: Competition
    rendered: Rendered
    kernel: KernelVersion
    libs_dataset: str  # owner/name
    weights_datasets: tuple[str, ...]  # owner/name of a dataset per pretrained model
    forecast_s: float | None  # expected run time; None if unknown
    status: KernelStatus | None = None  # None: the push did not wait
    output: KernelOutput | None = None
    submission: Submission | None = None
    file: Path | None = None  # the submitted csv; None in a code competition
    sha256: str = ""
    standing: Standing | None = None
    quick: bool = False  # a dry run, which is never submitted
    seconds: dict[str, float] = field(default_factory=dict)  # by step

    def _facts(self) -> dict[str, object]:
        return {
            "notebook": f"{self.kernel.handle} version {self.kernel.version}",
            "status": self.status and self.status.status.lower(),
            "output": self.output and f"{len(self.output.files)} files in {self.output.path}",
            "submission": self.submission and self.submission.ref,
            **(_standing_facts(self.standing) if self.standing else {}),
            "page": self.kernel.url,
            "seconds": f"{sum(self.seconds.values()):.1f}",
        }

    def as_json(self) -> dict[str, Any]:
        """Return the value of `fkp push --json`."""
        out, sent = self.output, self.submission
        return {
            "slug": self.comp.slug,
            "quick": self.quick,
            "notebook": str(self.rendered.file),
            "kernel": asdict(self.kernel),
            "libs_dataset": self.libs_dataset,
            "weights_datasets": list(self.weights_datasets),
            "forecast_s": self.forecast_s and round(self.forecast_s, 1),
            "status": self.status and self.status.status,
            "output": out and {"path": out.path, "files": len(out.files), "log": out.log},
            "submission": sent
            and {
                "path": self.file and str(self.file.resolve()),
                "sha256": self.sha256,
                "ref": sent.ref,
                "sent": sent.sent,
            },
            "public_score": self.standing and self.standing.public_score,
            "private_score": self.standing and self.standing.private_score,
            **_seconds_json(self.seconds),
        }


def _standing_facts(standing: Standing) -> dict[str, object]:
    rank, n = standing.public_rank, len(standing.entries)
    return {
        "public": shown_score(standing.public_score, 5) + (f", rank {rank} of {n}" if rank else ""),
        "private": shown_score(standing.private_score, 5),
    }


def _seconds_json(seconds: dict[str, float]) -> dict[str, Any]:
    by_step = {step: round(s, 3) for step, s in seconds.items()}
    return {"seconds": round(sum(seconds.values()), 3), "seconds_by_step": by_step}
