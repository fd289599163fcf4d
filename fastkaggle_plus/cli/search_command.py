"""The command `fkp search`: try values of a trial's parameters."""

from __future__ import annotations

from typing import Annotated

from typer import Exit, Option

from . import options
from .hints import resumable


def search(
    slug: options.Slug,
    declared: Annotated[str, Option("--list", help="The Search of trials.py to run.")] = "SEARCH",
    n_trials: Annotated[
        int | None, Option("--n-trials", min=1, help="Trials to try. Default: as declared.")
    ] = None,
    batch: Annotated[
        int | None, Option(min=1, help="Trials at a time. Default: as declared.")
    ] = None,
    on: options.Place = "local",
    folds: options.Folds = 5,
    holdout: options.Holdout = None,
    test: options.Test = "auto",
    seed: options.Seed = 42,
    stop_after: options.StopAfter = None,
    workers: options.Workers = None,
    bundles: options.Bundles = None,
    data: options.DataFolder = None,
    live: options.Live = False,
    dest: options.Dest = None,
    as_json: options.AsJson = False,
) -> None:
    """Try values of a trial's parameters, as trials.py declares them, and submit nothing.

    Each batch of trials learns from those before it. A trial that looks worse after a fold is
    stopped. The score of the best is corrected for having been chosen. After Ctrl-C the same
    command resumes. The exit status is 1 if no trial finished.
    """
    from ..workflow.measure import search as run_search
    from ..workflow.run_progress import RunProgress
    from .show_outcomes import show_search

    with resumable(), RunProgress(to_stderr=as_json) as progress:
        outcome = run_search(
            slug,
            bundles=bundles,
            data=data,
            dest=dest,
            live=live,
            seed=seed,
            n_folds=folds,
            holdout=holdout,
            declared=declared,
            n_trials=n_trials,
            batch=batch,
            callbacks=progress,
            test=test,
            on=on,
            stop_after_s=None if stop_after is None else 60 * stop_after,
            **({} if workers is None else {"workers": workers}),
        )
    show_search(outcome, as_json=as_json)
    if outcome.winner is None:
        raise Exit(1)
