"""The command `export`: a trial, or an ensemble, as a model in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Argument, Option, echo

from . import options
from .completion import complete_measured
from .sweep_commands import open_vault


def export(
    slug: options.Slug,
    trials: Annotated[
        list[str], Argument(help="A trial, or several.", autocompletion=complete_measured)
    ],
    to: Annotated[
        Path | None, Option(help="Folder of the model. Default: runs/SLUG/models/NAME.")
    ] = None,
    keep_folds: Annotated[
        bool, Option("--keep-folds", help="Keep the folds' models, instead of a refit on all rows.")
    ] = False,
    method: Annotated[
        str, Option(help="Of several trials: mean | greedy | optimum, see `fkp ensemble`.")
    ] = "mean",
    dest: options.Dest = None,
    live: options.LiveResults = False,
    as_json: options.AsJson = False,
) -> None:
    """Fit a trial for use and save it: a folder that `load_model` reads without the training data.

    The folder has the weights, the classes, the features' code, a hash of each file, and a card
    with the CV score. It is loaded again as a check. `fkp app` makes an app of it.
    """
    from ..workflow.export_trial import export_trials
    from .display import show_json

    vault, name = open_vault(slug, dest, live=live)
    final, folder = export_trials(vault, name, trials, to=to, keep_folds=keep_folds, method=method)
    if as_json:
        show_json({"folder": str(folder), "card": final.card.to_json()})
        return
    echo(final)
    run_code = ", run_code=True" if final.card.code else ""
    echo(f'Saved and checked. To use it: load_model("{folder}"{run_code}).predict(rows)')
