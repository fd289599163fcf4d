"""The order and the verdicts of the report's table: the trials and their ensemble."""

from collections.abc import Sequence

from ..evidence import compare
from ..metrics import Metric
from ..predictions import Predictions
from ..sweeps.board import BoardRow, ranked_predictions
from .digits import p_text


def ensemble_row(ensemble: Predictions, members: Sequence[Predictions]) -> BoardRow:
    """Return the ensemble's line of the board, compared with the best trial."""
    return BoardRow(
        ensemble.name,
        ensemble.oof_score,
        ensemble.oof_score_se,
        ensemble.seconds_s,
        compare(ensemble, ranked_predictions(members)[0]),
    )


def with_ensemble(
    rows: Sequence[BoardRow],  # of the trials, best first
    combined: BoardRow,
    metric: Metric,
) -> list[BoardRow]:
    """Return the rows with the ensemble in its place, above equal scores."""
    return sorted([combined, *rows], key=lambda row: -metric.gain(row.oof_score, 0))


def outcome(row: BoardRow) -> str:
    """Return best, noise, better or worse: the row's difference to the best trial in one word."""
    if row.to_best is None:
        return "best"
    if row.to_best.is_noise:
        return "noise"
    return "better" if row.to_best.gain > 0 else "worse"


def verdict(row: BoardRow) -> str:
    """Return the outcome with its p-value, in the same digits for all rows."""
    return f"{outcome(row)} ({p_text(row.to_best.p_value)})" if row.to_best else "best"
