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
    import pandas as pd

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
    frames = {name: getattr(answers, name) for name in ("importances", "dropped", "spread")}
    if as_json:
        rows = {name: frame.to_dict("records") for name, frame in frames.items()}
        parts = {**asdict(answers.parts), "end": answers.parts.end}
        rest = {"redundant": answers.redundancy.groups, "answers": answers.answers}
        show_json({**rows, "row": parts, **rest, "page": str(file)})
        return
    preds = answers.models.preds
    score = f"{preds.metric} {preds.oof_score:.4f} ± {preds.oof_score_se:.4f}"
    echo(f"{preds.name}: {score}, out of fold, as are all answers")
    for frame in frames.values():
        _show(frame[:_MOST_SHOWN])
    for question, answer in answers.answers.items():
        echo(f"{question}: {answer}")
    echo(file)
    if open_page and not webbrowser.open(file.resolve().as_uri()):
        echo("No browser opened: open this file yourself.", err=True)


def _show(frame: pd.DataFrame) -> None:
    from ..reporting.explain_page import shown_table
    from .display import show_table

    if len(frame):
        table = shown_table(frame)
        numbers = [i for i, style in enumerate(table.styles) if style == "n"]
        show_table(table.header, table.rows, numbers=numbers)
