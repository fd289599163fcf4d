"""The ensemble's row on a board, and why an ensemble has one member only."""

from collections.abc import Sequence

from ..evidence import compare
from ..predictions import Predictions, recipe_of
from .board import AMONG, BEST, BoardRow


def ensemble_row(
    combined: Predictions,  # the ensemble
    members: Sequence[Predictions],  # of every finished trial
    rows: Sequence[BoardRow],  # of the trials, best first
) -> BoardRow:
    """Return the ensemble's line of the board, compared with the best trial's first run."""
    test = compare(combined, next(p for p in members if recipe_of(p.name)[0] == rows[0].name))
    outcome = "better" if test.gain > 0 else "worse"
    return BoardRow(
        combined.name,
        combined.oof_score,
        combined.oof_score_se,
        combined.seconds_s,
        test.gain,
        "cannot be told apart" if test.is_noise else outcome,
        test.p_value,
        test.test,
        metric=combined.metric,
        higher_is_better=test.higher_is_better,
    )


def with_ensemble(
    rows: Sequence[BoardRow],  # of the trials, best first
    combined: BoardRow,
) -> list[BoardRow]:
    """Return the rows with the ensemble in its place, above equal scores."""
    sign = 1 if combined.higher_is_better else -1
    return sorted([combined, *rows], key=lambda row: -sign * row.oof_score)


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
    own = next((row for row in rows if row.name == name), rows[0])
    if own.outcome == BEST:
        return f"{why}."
    tied = ", but the two cannot be told apart" if own.outcome == AMONG else ""
    return f"{why}. In {metric}, {rows[0].name} is better{tied}."
