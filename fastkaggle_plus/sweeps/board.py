"""The board of a sweep: its finished trials, best first, each compared with the best."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..evidence import Comparison, Winner, best_of, compare
from ..predictions import Predictions
from ..ui.records import Records, Row
from .trial import TrialResult


@dataclass(frozen=True)
class BoardRow(Row):
    """One line of the board."""

    name: str
    oof_score: float
    oof_score_se: float
    seconds_s: float
    to_best: Comparison | None  # None for the best trial itself
    reused: bool = False
    peak_mb: float | None = None  # peak memory of its process; None if it shared a process
    gpu_peak_mb: float | None = None  # peak memory of the GPU, if the model measured it
    tta: dict[str, Any] | None = None  # gain of test-time augmentation, if the model tested it
    metric: str = ""
    predicts_test: str = ""  # mean of 5 folds | refit on all rows | ...; "": not known
    version: dict[str, Any] | None = None  # hash, date, what changed: see `all_versions`

    @property
    def verdict(self) -> str:
        """What the difference to the best means, as a phrase."""
        if self.to_best is None:
            return "best"
        if self.to_best.is_noise:
            return f"noise (p = {self.to_best.p_value:.2f})"
        word = "better" if self.to_best.gain > 0 else "worse"  # an ensemble may be better
        return f"{word} (p = {self.to_best.p_value:.2g})"

    def as_row(self) -> dict[str, object]:
        """Return the cells that people read."""
        memory = [(self.peak_mb, ""), (self.gpu_peak_mb, " GPU")]
        return {
            "trial": self.name,
            "CV score": f"{self.oof_score:.4f}",
            "SE": f"± {self.oof_score_se:.4f}",
            "seconds": f"{self.seconds_s:.1f}",
            "peak MB": " + ".join(f"{mb:.0f}{of}" for mb, of in memory if mb is not None),
            "to best": f"{self.to_best.gain:+.4f}" if self.to_best else "",
            "verdict": self.verdict,
        }

    def as_json(self) -> dict[str, Any]:
        """Return the row as plain data."""
        test = self.to_best
        return {
            "name": self.name,
            "oof_score": self.oof_score,
            "oof_score_se": self.oof_score_se,
            "seconds": round(self.seconds_s, 3),
            "peak_mb": self.peak_mb,
            "gpu_peak_mb": self.gpu_peak_mb,
            "to_best": test and test.gain,
            "p_value": test and test.p_value,
            "test": test and test.test,
            "verdict": self.verdict,
            "reused": self.reused,
            "tta": self.tta,
            "predicts_test": self.predicts_test,
            "version": self.version,
        }


def board(results: Sequence[TrialResult | Predictions]) -> Records[BoardRow]:
    """Return one row per finished trial, best first, each compared with the best one."""
    ranked = ranked_predictions(finished_predictions(results))
    reused = {r.predictions for r in results if isinstance(r, TrialResult) and r.reused}
    return Records(
        BoardRow(
            preds.name,
            preds.oof_score,
            preds.oof_score_se,
            preds.seconds_s,
            None if preds is ranked[0] else compare(preds, ranked[0]),
            reused=preds in reused,
            peak_mb=preds.about.get("peak_mb"),
            gpu_peak_mb=preds.about.get("gpu_peak_mb"),
            tta=tta if isinstance(tta := preds.about.get("tta"), dict) else None,
            metric=preds.metric,
            predicts_test=preds.about.get("test", ""),
            version=preds.about.get("version"),
        )
        for preds in ranked
    )


def winner(results: Sequence[TrialResult]) -> Winner:
    """Return the best trial of a sweep or search, and its score corrected for the choice."""
    stopped = [r.fold_scores for r in results if r.is_pruned]
    return best_of(finished_predictions(results), stopped=stopped)


def why_one_member(
    combined: Predictions,  # an ensemble
    rows: Sequence[BoardRow],  # of the trials, best first
) -> str:
    """Return why an ensemble with fitted weights has one trial only, in a sentence; else ""."""
    from ..ensembling import fitted_metric  # loads pandas, which a board does not need

    weights, metric = combined.about["weights"], combined.metric
    used = [name for name, weight in weights.items() if weight]
    if combined.about["method"] not in ("greedy", "optimum") or len(weights) < 2 or len(used) > 1:
        return ""
    name, fitted = used[0], fitted_metric(combined).name
    by = fitted if fitted == metric else f"{fitted}, to which the weights are fitted"
    why = f"only {name} has a weight: by {by}, no mix with another trial is better"
    own = next((row.to_best for row in rows if row.name == name), None)
    if own is None:
        return f"{why}."
    verb = "may be noise" if own.is_noise else "is more than noise"
    return f"{why}. In {metric}, {own.b} is better; the difference {verb}."


def refits_of(rows: Sequence[BoardRow]) -> str:
    """Return which trials predict the test rows by a refit, in a sentence; "" for none."""
    names = [row.name for row in rows if row.predicts_test.startswith("refit")]
    if not names:
        return ""
    of = "all trials" if len(names) == len(rows) else ", ".join(names)
    return f"Test rows are predicted by a refit on all rows ({of}); scores are those of the folds."


def finished_predictions(results: Sequence[TrialResult | Predictions]) -> list[Predictions]:
    """Return the predictions of the trials that finished."""
    found = (r if isinstance(r, Predictions) else r.predictions for r in results)
    return [preds for preds in found if preds is not None]


def ranked_predictions(members: Sequence[Predictions]) -> list[Predictions]:
    """Return predictions ranked by oof_score, best first; of equal scores the first stays first."""
    return sorted(members, key=lambda p: -p.scoring.gain(p.oof_score, 0))
