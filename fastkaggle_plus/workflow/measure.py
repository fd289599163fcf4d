"""`sweep`: measure the trials of a competition, and submit nothing."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..competition import Competition
from ..data import Data
from ..exceptions import ConfigError
from ..folds import is_refit
from ..kaggle_client import setup_comp
from ..sweeps.board import board, winner
from ..sweeps.default_trials import trials_of
from ..sweeps.engines import DEFAULT, find_engine, given_options
from ..sweeps.pruning import import_optuna
from ..sweeps.repeats import repeat_spread, repeated
from ..sweeps.search import Search, run_search, search_of
from ..sweeps.trial import Sweep, Trial, select_by_name
from ..sweeps.vault import Vault
from .callbacks import RunCallbacks
from .kernel_options import kernel_options
from .outcome import SearchOutcome, SweepOutcome
from .run_progress import RunProgress, with_progress
from .workspace import Workspace, open_workspace


@with_progress(RunProgress)
def sweep(
    slug: str,
    *,
    bundles: str | Path | None = None,  # all up to n_folds as for `run`
    data: str | Path | None = None,
    dest: str | Path | None = None,
    live: bool = False,
    seed: int = 42,
    n_folds: int = 5,
    holdout: float | None = None,  # share of the rows in one holdout, instead of folds
    declared: str = "TRIALS",  # which tuple of trials.py to run
    trials: Sequence[str] | None = None,  # names of the trials to run; default: all
    repeats: int = 1,  # runs of each trial, with other seeds and splits
    callbacks: RunCallbacks | None = None,  # default: show the progress
    test: str = "auto",  # as for `run`
    on: str = DEFAULT,  # where trials run: local | ray | kaggle
    **options: Any,  # of `run_local`, `run_ray` or `run_kaggle`: workers, threads, max_trials, ...
) -> SweepOutcome:
    """Measure a competition's trials and submit nothing.

    Trials in the vault of `run` are not measured again. Options that are None are left out.
    Raises FastkaggleError: ConfigError for an option that the place does not take.
    """

    def choose(comp: Competition, read: Data) -> tuple[Trial, ...]:
        chosen = trials_of(comp, declared, data=read)
        if trials:
            chosen = tuple(select_by_name(chosen, dict.fromkeys(trials)))
        return repeated(chosen, repeats, comp=comp)

    where: dict[str, Any] = {"bundles": bundles, "data": data, "dest": dest, "live": live}
    plan: dict[str, Any] = {"seed": seed, "n_folds": n_folds, "holdout": holdout, "test": test}
    callbacks = callbacks or RunCallbacks()
    measured = measure_trials(slug, choose, callbacks=callbacks, **where, **plan, on=on, **options)
    return replace(measured, repeats=repeat_spread(measured.results))


@with_progress(RunProgress)
def search(
    slug: str,
    *,
    declared: str = "SEARCH",  # which Search of trials.py to run
    n_trials: int | None = None,  # default: as declared
    batch: int | None = None,  # trials at a time; default: as declared
    callbacks: RunCallbacks | None = None,  # default: show the progress
    **options: Any,  # of `sweep`: bundles, data, dest, live, seed, n_folds, holdout, test, on, ...
) -> SearchOutcome:
    """Run the search that a competition's trials.py declares, and submit nothing.

    Trials in the vault of `run` are not measured again. Raises FastkaggleError.
    """
    import_optuna()  # raises MissingExtra before the download

    def choose(comp: Competition, read: Data) -> Search:
        found = search_of(comp, declared)
        return replace(found, n_trials=n_trials or found.n_trials, batch=batch or found.batch)

    measured = measure_trials(slug, choose, callbacks=callbacks or RunCallbacks(), **options)
    best = winner(measured.results) if measured.rows else None
    return SearchOutcome(**vars(measured), winner=best)


def measure_trials(
    slug: str,
    choose: Callable[[Competition, Data], tuple[Trial, ...] | Search],
    *,
    bundles: str | Path | None = None,  # this and the following: as for `sweep`
    data: str | Path | None = None,
    dest: str | Path | None = None,
    live: bool = False,
    seed: int = 42,
    n_folds: int = 5,
    holdout: float | None = None,
    callbacks: RunCallbacks,
    test: str = "auto",
    on: str = DEFAULT,
    **options: Any,
) -> SweepOutcome:
    """Measure any trials on a competition into its vault. Raises FastkaggleError."""
    check_plan(n_folds if holdout is None else 2, test)
    options = given_options(on, options)  # raises ConfigError before the download
    with open_workspace(
        slug, dest, seed, bundles=bundles, data=data, live=live, callbacks=callbacks, as_files=True
    ) as work:
        path, read = download(work)
        chosen = choose(work.comp, read)
        if isinstance(chosen, Search):
            plan = Sweep(work.comp.slug, (), n_folds, seed, holdout, test, planned=chosen.n_trials)
            return measure(work, plan, path, read, on=on, search=chosen, **options)
        plan = Sweep(work.comp.slug, chosen, n_folds, seed, holdout, test)
        return measure(work, plan, path, read, on=on, **options)


def check_plan(n_folds: int, test: str) -> None:
    """Raise ConfigError or UnknownName for folds or a `test` that cannot be used."""
    is_refit(test, "")  # raises UnknownName
    if n_folds < 2:
        raise ConfigError(f"Trials need at least 2 folds, got {n_folds}. Raise --folds.")


def download(work: Workspace) -> tuple[Path, Data]:
    """Download and read the competition's data; return its folder and the Data."""
    verb = "already in" if work.data.exists() else "verified and unpacked to"
    path = setup_comp(work.comp.slug, dest=work.data)
    work.report_step("download", f"{verb} {path}")
    read = work.comp.read(path)
    work.end_step("reading")
    if read.train.texts is not None:
        columns = [str(c) for c in read.train.texts]
        noun = "column" if len(columns) == 1 else "columns"
        work.callbacks.on_step("texts", f"in the {noun} {', '.join(columns)}")
    left_out = dict(read.left_out)
    if (how_ids := left_out.pop(work.comp.id, "id")) != "id":
        work.callbacks.on_step("ids", f"{work.comp.id}: {how_ids}")
    for part in ("train images", "test images"):
        if part in left_out:
            work.callbacks.on_step("images", f"of the {part}, {left_out.pop(part)}")
    if unused := [f"{c} ({why})" for c, why in left_out.items()]:
        work.callbacks.on_step("columns", f"left out: {', '.join(unused)}")
    if noted := [f"{c} ({note})" for c, note in read.notes.items()]:
        hint = "trees cannot extrapolate; `without_model` leaves them out"
        work.callbacks.on_step("notes", f"{', '.join(noted)}: {hint}")
    if not work.is_live:
        rows = f"{len(read.test)} labelled rows, held out to score this rehearsal"
        work.callbacks.on_step("test", f"{rows}; the competition's own test rows are not used")
    return path, read


def measure(
    work: Workspace,
    declared: Sweep,
    path: Path,
    data: Data,
    *,
    on: str = DEFAULT,
    search: Search | None = None,  # makes the trials, on the split of `declared`
    **options: Any,
) -> SweepOutcome:
    """Run the trials that the vault does not have yet."""
    run_trials: Callable[..., Any] = find_engine(on)
    if on == "kaggle":
        options = kernel_options(work, declared, **options)
    if search:
        split = {k: getattr(declared, k) for k in ("n_folds", "seed", "holdout", "test")}
        run_trials = functools.partial(run_search, on=on, **split)
    callbacks = work.callbacks
    callbacks.on_sweep_start(declared)
    results = run_trials(
        search or declared,
        work.comp,
        path,
        vault=Vault(work.folder / "vault"),
        data=data,
        on_start=callbacks.on_trial_start,
        on_progress=callbacks.on_trial_progress,
        on_result=callbacks.on_trial_end,
        on_split=lambda warning: callbacks.on_step("split", warning),
        on_step=callbacks.on_step,
        **options,
    )
    work.end_step("trials")
    return SweepOutcome(
        comp=work.comp,
        results=results,
        rows=board(results),
        left_out=data.left_out,
        notes=data.notes,
        seconds=work.seconds,
    )
