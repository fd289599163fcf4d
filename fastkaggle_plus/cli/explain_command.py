"""The command `explain`: questions to the model of a table, answered out of fold."""

from __future__ import annotations

import webbrowser
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option, echo

from . import options
from .completion import complete_measured
from .sweep_commands import open_vault

if TYPE_CHECKING:
    from ..modeling import Explanation
    from ..ui.records import Row

_MOST_SHOWN = 12  # columns in the table of importances


def explain(
    slug: options.Slug,
    trial: Annotated[str, Argument(help="A trial.", autocompletion=complete_measured)],
    row: Annotated[
        str | None, Option(help="Id of a training row to take apart. Default: the worst one.")
    ] = None,
    drop: Annotated[
        list[str] | None, Option(help="Columns to try without, together: a,b. Repeatable.")
    ] = None,
    refits: Annotated[int, Option(help="Most refits for the columns that can go.", min=0)] = 6,
    dest: options.Dest = None,
    live: options.LiveResults = False,
    open_page: Annotated[bool, Option("--open", help="Open the page in the browser.")] = False,
    as_json: options.AsJson = False,
) -> None:
    """Fit a trial of a table again on its folds, and ask what it learned. Nothing is sent.

    Which columns matter, which can go, which say the same; how predictions depend on them; one
    prediction taken apart; where it is unsure; whether test rows differ; and what happens beyond
    the training range. Each answer is out of fold. A page with plots goes next to the report.
    """
    from ..workflow.explain_trial import explain_trial
    from .display import show_json

    vault, name = open_vault(slug, dest, live=live)
    groups = [[c.strip() for c in group.split(",")] for group in drop or ()]
    answers, file = explain_trial(
        vault, name, trial, row=row, drop=groups, refits=refits, is_live=live
    )
    if as_json:
        show_json({**_as_json(answers), "page": str(file)})
        return
    _show(answers)
    echo(file)
    if open_page and not webbrowser.open(file.resolve().as_uri()):
        echo("No browser opened: open this file yourself.", err=True)


def _show(answers: Explanation) -> None:
    preds = answers.models.preds
    score = f"{preds.metric} {preds.oof_score:.4f} ± {preds.oof_score_se:.4f}"
    echo(f"{preds.name}: {score}, out of fold, as all that follows")
    _table(answers.importances[:_MOST_SHOWN])
    _table(answers.dropped)
    _table(answers.spread)
    for question, answer in answers.answers.items():
        echo(f"{question}: {answer}")


def _table(rows: list[Row]) -> None:
    from .display import show_table

    if rows:
        cells = [row.as_row() for row in rows]
        show_table(list(cells[0]), [list(row.values()) for row in cells])


def _as_json(e: Explanation) -> dict[str, object]:
    """Return the numbers of the answers as plain data."""
    return {
        "oof_score": e.models.preds.oof_score,
        "importances": [asdict(row) for row in e.importances],
        "dropped": [
            {**asdict(row), "verdict": row.verdict, "most_lost": row.most_lost} for row in e.dropped
        ],
        "redundant": e.redundancy.groups,
        "interactions": [row.as_row() for row in e.interactions],
        "row": {**asdict(e.parts), "end": e.parts.end},
        "spread": [asdict(row) for row in e.spread],
        "train_or_test": e.shift and {"auc": e.shift.auc, "columns": e.shift.columns},
        "answers": e.answers,
    }
