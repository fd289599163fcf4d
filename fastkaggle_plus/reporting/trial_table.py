"""The report's table of trials: the trials, their ensemble and what failed, as texts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..evidence import compare
from ..metrics import get_metric
from ..predictions import Predictions
from ..sweeps.board import BoardRow, ranked_predictions
from ..sweeps.trial import Trial
from .digits import p_text, score_text


@dataclass(frozen=True)
class TableRow:
    """One line of the table of trials, as it is shown."""

    name: str
    kind: str  # best | tie | worse | better | failed: the colour of the verdict
    verdict: str
    score: str = ""
    se: str = ""
    to_best: str = ""  # gain over the best trial
    weight: str = ""  # in the ensemble
    hypothesis: str = ""
    seconds: str = ""
    peak_mb: str = ""
    is_ensemble: bool = False


def ensemble_row(ensemble: Predictions, members: Sequence[Predictions]) -> BoardRow:
    """Return the ensemble's line of the board, compared with the best trial."""
    return BoardRow(
        ensemble.name,
        ensemble.oof_score,
        ensemble.oof_score_se,
        ensemble.seconds_s,
        compare(ensemble, ranked_predictions(members)[0]),
    )


def table_rows(
    rows: Sequence[BoardRow],  # of the trials, best first
    combined: BoardRow | None,  # of the ensemble
    *,
    metric: str,
    weights: Mapping[str, float],  # member of the ensemble -> share
    about_ensemble: str,  # how it was combined
    trials: Sequence[Trial],  # for their hypotheses
    failed: Mapping[str, str],  # trial -> last line of its error
    decimals: int,
) -> list[TableRow]:
    """Return the lines of the table, best first and failed trials last."""
    hypotheses = {t.name: t.hypothesis for t in trials}
    ranked = list(rows)
    if combined is not None:  # of equal scores the ensemble is first
        gain = get_metric(metric).gain
        is_below = [gain(combined.oof_score, r.oof_score) >= 0 for r in rows]
        ranked.insert((*is_below, True).index(True), combined)
    shown = []
    for row in ranked:
        is_ensemble, weight = row is combined, weights.get(row.name, 0)
        line = TableRow(
            name=row.name,
            kind=_kind(row),
            verdict=_verdict(row),
            score=score_text(row.oof_score, decimals),
            se=score_text(row.oof_score_se, decimals),
            to_best=score_text(row.to_best.gain, decimals, sign=True) if row.to_best else "",
            weight=f"{weight:.2f}" if weight and not is_ensemble else "",
            hypothesis=about_ensemble if is_ensemble else hypotheses.get(row.name, ""),
            seconds=f"{row.seconds_s:,.1f}",
            peak_mb=f"{row.peak_mb:,.0f}" if row.peak_mb else "",
            is_ensemble=is_ensemble,
        )
        shown.append(line)
    errors = (
        TableRow(name, "failed", f"failed: {error}", hypothesis=hypotheses.get(name, ""))
        for name, error in failed.items()
    )
    return [*shown, *errors]


def _verdict(row: BoardRow) -> str:
    """Return the verdict with its p-value, all in the same digits."""
    if row.to_best is None:
        return "best"
    word = "noise" if row.to_best.is_noise else _kind(row)
    return f"{word} ({p_text(row.to_best.p_value)})"


def _kind(row: BoardRow) -> str:
    if row.to_best is None:
        return "best"
    if row.to_best.is_noise:
        return "tie"
    return "better" if row.to_best.gain > 0 else "worse"
