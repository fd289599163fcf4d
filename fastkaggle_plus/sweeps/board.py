"""What a sweep left: the table of trials, best first, each with what its difference to the best is worth, and what failed."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..evidence import Comparison, compare
from ..metrics import get_metric
from ..predictions import Predictions
from .trial import Trial
from .vault import Vault

RESULTS = (
    "trial",
    "metric",
    "oof_score",
    "oof_score_se",
    "public_score",
    "private_score",
    "n_rows",
    "n_folds",
    "seconds",
    "split",
    "split_seed",
    "hardware",
    "versions",
    "date",
)  # columns of a results.csv


@dataclass(frozen=True, eq=False)
class TrialResult:
    "One trial's outcome in one sweep."

    trial: Trial
    predictions: Predictions | None  # None when it failed
    error: str = ""  # traceback
    reused: bool = False  # taken from the vault, not run
    not_run: bool = False  # beyond the budget; `error` says of what

    @property
    def name(self) -> str:
        "The trial's name."
        return self.trial.name

    @property
    def failed(self) -> bool:
        "Whether it ran and left nothing."
        return self.predictions is None and not self.not_run


@dataclass(frozen=True)
class BoardRow:
    "One line of the board."

    name: str
    oof_score: float
    oof_score_se: float
    seconds_s: float
    to_best: Comparison | None  # None for the best itself
    reused: bool = False
    peak_mb: float | None = None  # the most memory its process held, where it had one of its own
    gpu_peak_mb: float | None = None  # and the most of the GPU's, where the model tells
    tta: dict[str, Any] | None = (
        None  # what averaging views was worth, where a model tried: chosen, against, gain, p_value, flips
    )

    @property
    def verdict(self) -> str:
        "What the difference to the best is worth, in words."
        if self.to_best is None:
            return "best"
        return (
            f"noise (p = {self.to_best.p_value:.2f})"
            if self.to_best.is_noise
            else f"worse (p = {self.to_best.p_value:.2g})"
        )

    def as_json(self) -> dict[str, Any]:
        "Return the row as plain data."
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
        }


def board(results: Sequence[TrialResult | Predictions]) -> list[BoardRow]:
    "Return one row per finished trial, best first, each compared with the best on the same rows."
    entries = [
        (r, False) if isinstance(r, Predictions) else (r.predictions, r.reused) for r in results
    ]
    done = [(p, reused) for p, reused in entries if p is not None]
    if not done:
        return []
    metric = get_metric(done[0][0].metric)
    done.sort(
        key=lambda entry: (
            metric.gain(0, entry[0].oof_score) if metric.higher_is_better else entry[0].oof_score
        )
    )
    best = done[0][0]
    return [
        BoardRow(
            p.name,
            p.oof_score,
            p.oof_score_se,
            p.seconds_s,
            None if p is best else compare(p, best),
            reused,
            p.about.get("peak_mb"),
            p.about.get("gpu_peak_mb"),
            _tta(p),
        )
        for p, reused in done
    ]


def _tta(preds: Predictions) -> dict[str, Any] | None:
    "What was found, not what was asked for."
    return found if isinstance(found := preds.about.get("tta"), dict) else None


def in_vault(vault: Vault, slug: str) -> tuple[list[Predictions], dict[str, str]]:
    """Return what a vault holds of a competition: predictions by trial, and the tracebacks of trials whose newest run failed.

    Of each trial it is the newest run on the rows and the split that the newest run of all had, so that all can be compared.
    """
    found: dict[str, Predictions] = {}
    failed: dict[str, str] = {}
    seen: set[str] = set()
    first: Predictions | None = None
    for record in vault.runs(slug):
        if record.status != "done":
            if record.trial not in seen:
                failed[record.trial] = record.error
        elif record.trial not in found:
            preds = replace(vault.load(record), name=record.trial)
            first = first or preds
            if (
                len(preds.ids) == len(first.ids)
                and np.array_equal(preds.folds, first.folds)
                and np.array_equal(preds.ids, first.ids)
            ):
                found[record.trial] = preds
        seen.add(record.trial)
    return list(found.values()), failed


def write_results(
    file: str | Path,
    members: Sequence[Predictions],
    *,
    scores: dict[str, tuple[float | None, float | None]]
    | None = None,  # name -> (public_score, private_score), of what was submitted
) -> Path:
    "Write one csv row per member, best first, each with its circumstances, and return the path. Rows worth keeping go into a competition's results.csv."
    metric, scores = get_metric(members[0].metric), scores or {}
    rows = []
    for p in sorted(members, key=lambda p: -metric.gain(p.oof_score, 0)):
        public, private = scores.get(p.name, (None, None))
        rows.append(
            {
                "trial": p.name,
                "metric": p.metric,
                "oof_score": f"{p.oof_score:.6f}",
                "oof_score_se": f"{p.oof_score_se:.6f}",
                "public_score": public,
                "private_score": private,
                "n_rows": int(p.validated.sum()),
                "n_folds": len(p.fold_scores),
                "seconds": f"{p.seconds_s:.1f}",
                **{c: p.about.get(c) for c in RESULTS[-5:]},
            }
        )
    part = Path(file).with_suffix(".part")
    with part.open("w", newline="", encoding="utf-8") as f:
        out = csv.DictWriter(f, RESULTS, lineterminator="\n")
        out.writeheader()
        out.writerows(rows)
    return part.replace(file)
