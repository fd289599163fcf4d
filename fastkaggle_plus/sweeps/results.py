"""What a sweep left: the table of trials, best first, each with what its difference to the best is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..evidence import Comparison, compare
from ..metrics import get_metric
from ..predictions import Predictions
from .trial import Trial


@dataclass(frozen=True, eq=False)
class TrialResult:
    "One trial's outcome in one sweep."
    trial: Trial
    predictions: Predictions | None   # None when it failed
    error: str = ""                   # traceback
    reused: bool = False              # taken from the vault, not run

    @property
    def name(self) -> str:
        "The trial's name."
        return self.trial.name


@dataclass(frozen=True)
class BoardRow:
    "One line of the board."
    name: str
    oof_score: float
    oof_score_se: float
    seconds_s: float
    to_best: Comparison | None        # None for the best itself
    reused: bool = False

    @property
    def verdict(self) -> str:
        "What the difference to the best is worth, in words."
        if self.to_best is None:
            return "best"
        return f"noise (p = {self.to_best.p_value:.2f})" if self.to_best.is_noise else f"worse (p = {self.to_best.p_value:.2g})"


def board(results: Sequence[TrialResult | Predictions]) -> list[BoardRow]:
    "Return one row per finished trial, best first, each compared with the best on the same rows."
    entries = [(r, False) if isinstance(r, Predictions) else (r.predictions, r.reused) for r in results]
    done = [(p, reused) for p, reused in entries if p is not None]
    if not done:
        return []
    metric = get_metric(done[0][0].metric)
    done.sort(key=lambda entry: metric.gain(0, entry[0].oof_score) if metric.higher_is_better else entry[0].oof_score)
    best = done[0][0]
    return [BoardRow(p.name, p.oof_score, p.oof_score_se, p.seconds_s, None if p is best else compare(p, best), reused) for p, reused in done]
