"""The verb `search`: try values of a trial's parameters, and show what the best is worth."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from ..evidence import winner
from ..sweeps.engines import DEFAULT, find_engine
from ..sweeps.pruning import import_optuna
from ..sweeps.search import run_search, search_of
from ..sweeps.trial import split_text
from .callbacks import RunCallbacks
from .measure import check_plan, download, outcome_facts, where_to
from .outcome import SearchOutcome
from .run_progress import RunProgress, with_progress
from .workspace import open_workspace


@with_progress(RunProgress)
def search(
    slug: str,
    *,
    bundles: str | Path | None = None,  # all up to holdout as for `sweep`
    data: str | Path | None = None,
    dest: str | Path | None = None,
    live: bool = False,
    seed: int = 42,
    n_folds: int = 5,
    holdout: float | None = None,
    declared: str = "SEARCH",  # which Search of trials.py to run
    n_trials: int | None = None,  # default: as declared
    batch: int | None = None,  # trials at a time; default: as declared
    callbacks: RunCallbacks | None = None,  # default: show the progress
    test: str = "auto",  # as for `run`
    on: str = DEFAULT,  # where trials run: local | ray | kaggle
    **options: Any,  # of `run_search` and of the place: stop_after_s, workers, ...
) -> SearchOutcome:
    """Run the search that a competition's trials.py declares, and submit nothing.

    Trials in the vault of `run` are not measured again. Raises FastkaggleError.
    """
    check_plan(n_folds if holdout is None else 2, test)
    find_engine(on)  # this and the next raise before the download
    import_optuna()
    callbacks = callbacks or RunCallbacks()
    with open_workspace(
        slug, dest, seed, bundles=bundles, data=data, live=live, callbacks=callbacks, as_files=True
    ) as work:
        plan = search_of(work.comp, declared)
        plan = replace(plan, n_trials=n_trials or plan.n_trials, batch=batch or plan.batch)
        path, read = download(work)
        callbacks.on_search_start(plan, split_text(n_folds, seed, holdout))
        split: dict[str, Any] = dict(n_folds=n_folds, seed=seed, holdout=holdout, test=test)
        where = {**where_to(work, read), **split, **options}
        results = run_search(plan, work.comp, path, on=on, **where)
        work.end_step("trials")
        finished = any(result.predictions for result in results)
        return SearchOutcome(
            **outcome_facts(work, read, results),
            search=plan,
            winner=winner(result.predictions for result in results) if finished else None,
        )
