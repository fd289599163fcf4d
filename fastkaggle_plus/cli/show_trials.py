"""Print trials: the board, answers, repeats, and ensembles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console

from ..exceptions import last_line
from ..ui.displays import console
from ..workflow.run_progress import step_line
from .display import show_table

if TYPE_CHECKING:
    from ..predictions import Predictions
    from ..sweeps.hypothesis_log import LogEntry
    from ..sweeps.repeats import Spread

_MOST_CORRELATED = 12  # trials in a table of correlations


def show_board(
    rows: Sequence[Any],
    *,
    out: Console | None = None,
    metric: str = "",
    failed: Mapping[str, str] | None = None,
) -> None:
    """Show trials with their verdicts, seconds and peak memory; failed ones last."""
    from ..sweeps.board import about_verdicts, refits_of

    cells = [list(r.as_row().values()) for r in rows]
    for name, error in (failed or {}).items():
        cells.append([name, "", "", "", "", "", f"failed: {last_line(error)}"])
    score = f"CV score ({metric})" if metric else "CV score"
    header = ["trial", score, "SE", "seconds", "peak MB", "to best", "verdict"]
    if rows and all(r.version for r in rows):
        header += ["version", "measured", "changed since"]
        for cell, r in zip(cells, rows, strict=False):  # the failed ones have no version
            cell += [r.version["hash"], r.version["date"], ", ".join(r.version["changed"])]
    show_table(header, cells, numbers=(1, 2, 3, 4, 5), out=out)
    lines = about_verdicts(rows)
    if len(rows) > 1 and not rows[0].higher_is_better:
        lines.append('In "to best", a negative number is worse: lower scores are better.')
    for line in filter(None, (*lines, refits_of(rows))):
        (out or console()).print(line, soft_wrap=True, highlight=False)
    if with_tta := [r for r in rows if r.tta]:
        _show_tta(with_tta, out)


def _show_tta(rows: Sequence[Any], out: Console | None) -> None:
    """Show the gain of test-time augmentation on out-of-fold rows, and which views are used."""
    cells = [
        [
            r.name,
            f"{r.tta['gain']:+.4f}",
            r.tta.get("wrong_to_right", ""),
            r.tta.get("right_to_wrong", ""),
            f"{r.tta['p_value']:.2g}",
            "no" if r.tta["chosen"] == "plain" else r.tta["chosen"],
        ]
        for r in rows
    ]
    header = ["test-time augmentation", "gain", "errors removed", "errors added", "p", "used"]
    show_table(header, cells, numbers=(1, 2, 3, 4), out=out)


def show_answers(entries: Sequence[LogEntry], *, out: Console | None = None) -> None:
    """Show what each experiment changed, and what the data say."""
    rows = [entry.as_row() for entry in entries]
    header = ["hypothesis", "trial", "answer"]
    show_table(header, [[row[name] for name in header] for row in rows], out=out)


def show_repeats(spreads: Sequence[Spread], *, out: Console | None = None) -> None:
    """Show each repeated trial's mean and spread over its repeats."""
    cells = [
        [s.name, s.n, f"{s.mean:.4f}", f"{s.sd:.4f}", f"{s.lowest:.4f} to {s.highest:.4f}"]
        for s in spreads
    ]
    header = ["repeated trial", "repeats", "mean CV score", "SD", "range"]
    show_table(header, cells, numbers=(1, 2, 3), out=out)


def show_ensemble(preds: Predictions, *, out: Console | None = None) -> None:
    """Show an ensemble's nested score, its method and its weights."""
    weights = ", ".join(f"{name} {w:.2f}" for name, w in preds.about["weights"].items() if w)
    method = {"mean": "equal", "weighted": "given"}.get(method := preds.about["method"], method)
    score = f"{preds.metric} {preds.oof_score:.4f} ± {preds.oof_score_se:.4f}"
    detail = f"{score} out of fold (nested score; {method} weights: {weights})"
    (out or console()).print(step_line("ensemble", detail), soft_wrap=True)
    if tried := dict(preds.about.get("tried", {})):
        metric = tried.pop("metric")
        scores = ", ".join(f"{method} {score:.5f}" for method, score in tried.items())
        text = f"auto took the better by nested {metric}: {scores}"
        (out or console()).print(step_line("", text), soft_wrap=True)


def show_error_correlation(rows: Sequence[Any]) -> None:
    """Show the correlation of the members' errors; columns have the numbers of the rows."""
    if 1 < len(rows) <= _MOST_CORRELATED:
        numbers = range(1, len(rows) + 1)
        cells = [
            [f"{i} {row.name}", *(f"{r:.2f}" for r in row.correlations.values())]
            for i, row in zip(numbers, rows, strict=True)
        ]
        show_table(["correlation of errors", *map(str, numbers)], cells, numbers=numbers)
