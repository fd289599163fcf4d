"""Commands about trials: measure and combine them."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Exit, Option, echo

from ..exceptions import ConfigError, DataError
from . import options
from .completion import complete_declared, complete_measured
from .going_live import Confirm, sends
from .hints import resumable

if TYPE_CHECKING:
    from ..predictions import Predictions
    from ..sweeps.vault import Vault


def sweep(
    slug: options.Slug,
    trials: Annotated[
        list[str] | None,
        Option(help="Only this trial. Repeatable.", autocompletion=complete_declared),
    ] = None,
    declared: Annotated[str, Option("--list", help="The tuple of trials.py to run.")] = "TRIALS",
    folds: options.Folds = 5,
    holdout: options.Holdout = None,
    test: options.Test = "auto",
    seed: options.Seed = 42,
    repeats: Annotated[int, Option(help="Runs of each trial: other seeds and splits.")] = 1,
    max_trials: Annotated[int | None, Option(help="Budget: trials not in the vault.")] = None,
    max_epochs: Annotated[int | None, Option(help="Budget: epochs on all folds.")] = None,
    stop_after: options.StopAfter = None,
    workers: options.Workers = None,
    threads: Annotated[
        int | None, Option(help="Numeric threads of each trial. Default: 1, of networks up to 4.")
    ] = None,
    cards: Annotated[
        str | None, Option(help="GPUs to use, as 0,1; none: on the CPU. Default: all.")
    ] = None,
    on: options.Place = "local",
    address: Annotated[
        str | None, Option(help="ray: auto, HOST:PORT or ray://HOST:PORT. Default: this machine.")
    ] = None,
    num_gpus: Annotated[float | None, Option(help="ray: GPUs of each trial, as 0.5.")] = None,
    memory_mb: Annotated[
        float | None, Option("--memory", help="ray: memory of each trial, in MB.")
    ] = None,
    kernels: Annotated[
        int | None, Option(help="kaggle: most kernels at a time. Default: all but one session.")
    ] = None,
    gpu: Annotated[
        bool | None, Option("--gpu/--cpu", help="kaggle: default: GPU T4 x2 if not tabular.")
    ] = None,
    max_gpu_hours: Annotated[float | None, Option(help="kaggle: budget of GPU hours.")] = None,
    dry_run: Annotated[
        bool, Option("--dry-run", help="kaggle: show the kernels and the quota, send nothing.")
    ] = False,
    bundles: options.Bundles = None,
    data: options.DataFolder = None,
    live: options.Live = False,
    yes: options.Yes = False,
    dest: options.Dest = None,
    keep_going: options.KeepGoing = False,
    as_json: options.AsJson = False,
) -> None:
    """Measure a competition's trials into the vault that `fkp run` uses, and submit nothing.

    Each trial runs in its own process. Ctrl-C keeps what finished, and the same command resumes.
    The exit status is 1 if a trial failed.
    """
    from ..workflow.measure import sweep as run_sweep
    from ..workflow.run_progress import RunProgress
    from .show_outcomes import show_sweep

    confirm = None
    if on == "kaggle" and (live or dry_run):
        confirm = Confirm(live=live, yes=yes, dry_run=dry_run, as_json=as_json)
    with sends(dry_run=dry_run), resumable(), RunProgress(to_stderr=as_json) as progress:
        outcome = run_sweep(
            slug,
            bundles=bundles,
            data=data,
            dest=dest,
            live=live,
            seed=seed,
            n_folds=folds,
            test=test,
            holdout=holdout,
            declared=declared,
            trials=trials,
            repeats=repeats,
            callbacks=progress,
            on=on,
            workers=workers,
            threads=threads,
            cards=None if cards is None else [c for c in cards.split(",") if c not in ("", "none")],
            address=address,
            num_gpus=num_gpus,
            memory_mb=memory_mb,
            n_kernels=kernels,
            gpu=gpu,
            max_gpu_hours=max_gpu_hours,
            confirm=confirm,
            dry_run=dry_run or None,
            max_trials=max_trials,
            max_epochs=max_epochs,
            stop_after_s=None if stop_after is None else 60 * stop_after,
        )
    show_sweep(outcome, as_json=as_json)
    if outcome.failed and not (keep_going and outcome.rows):
        raise Exit(1)


def ensemble(
    slug: options.Slug,
    members: Annotated[
        list[str] | None,
        Argument(
            help="Trials in the vault. Default: those of --weights.",
            autocompletion=complete_measured,
        ),
    ] = None,
    method: Annotated[
        str, Option(help="auto | mean | rank | geometric | greedy | optimum | stack")
    ] = "mean",
    weights: Annotated[
        list[str] | None, Option(help="Weight of each trial: a=0.7,b=0.3. Repeatable.")
    ] = None,
    negative: Annotated[bool, Option("--negative", help="greedy: weights below zero too.")] = False,
    max_members: Annotated[int | None, Option(help="Most trials with a fitted weight.")] = None,
    max_seconds: Annotated[
        float | None, Option(help="Most seconds that the trials with a fitted weight took.")
    ] = None,
    lock: Annotated[
        Path | None,
        Option(help="Make the ensemble of this ensemble.lock again, and check its bytes."),
    ] = None,
    dest: options.Dest = None,
    live: options.LiveResults = False,
    as_json: options.AsJson = False,
) -> None:
    """Combine trials of a run's vault; show the nested score and the correlation of errors."""
    from ..ensembling import ensemble as combine
    from ..ensembling import error_correlation
    from ..sweeps import board as make_board
    from ..sweeps.ensemble_row import ensemble_row, with_ensemble
    from ..sweeps.trial_versions import rebuild_ensemble
    from .display import show_json
    from .show_trials import show_board, show_ensemble, show_error_correlation

    given = parse_weights(",".join(weights or ()))
    chosen: list[Predictions] = []
    if lock:
        if members or given:
            raise ConfigError(f"{lock} names the trials and weights. Give it alone.")
        combined = rebuild_ensemble(lock, open_vault(slug, dest, live=live)[0])
    elif not (names := members or list(given)):
        raise ConfigError("Name the trials to combine, or give --weights, as in a=0.7,b=0.3.")
    else:
        vault, name = open_vault(slug, dest, live=live)
        chosen = pick_trials(vault, name, names)
        combined = combine(
            chosen,
            method=method,
            weights=given or None,
            negative=negative,
            max_members=max_members,
            max_seconds=max_seconds,
        )
    errors = error_correlation(chosen) if chosen else []
    if as_json:
        wanted = ("nested_score", "method", "weights", "tried")
        about = {k: combined.about[k] for k in wanted if k in combined.about}
        scores = {"oof_score": combined.oof_score, "oof_score_se": combined.oof_score_se}
        show_json({**scores, **about, "error_correlation": [asdict(row) for row in errors]})
    else:
        if chosen:
            rows = make_board(chosen)
            own = ensemble_row(combined, chosen, rows)
            show_board(with_ensemble(rows, own), metric=combined.metric)
        show_error_correlation(errors)
        show_ensemble(combined)
        if lock:
            echo(f"The predictions are those of {lock}, byte by byte.")


def parse_weights(text: str) -> dict[str, float]:
    """Return weights by name, from a=0.7,b=0.3. Names may contain commas. Raises ConfigError."""
    found = re.findall(r"(.+?)=([^=,]+)(?:,|$)", text)
    try:
        weights = {name: float(weight) for name, weight in found}
    except ValueError:
        weights = {}
    if len(weights) < len(found) or ",".join("=".join(pair) for pair in found) != text:
        raise ConfigError(
            f"Expected --weights as in a=0.7,b=0.3, with each trial once, got {text!r}."
        )
    return weights


def open_vault(slug: str, dest: Path | None, *, live: bool) -> tuple[Vault, str]:
    """Return a vault with runs of a competition, and the competition's slug. Raises DataError."""
    from ..competition import load_comp
    from ..sweeps.vault import find_vault, output_folder

    comp = load_comp(slug) if Path(slug).is_dir() else None
    name = comp.slug if comp else slug
    vault = find_vault(output_folder(name, dest, live=live), name, live=live)
    # predictions of an own metric are scored by its file as it is now
    if any(run.metric.endswith(".py") for run in vault.runs(name)):
        vault.scoring = (comp or load_comp(slug)).scoring
    return vault, name


def pick_trials(vault: Vault, slug: str, names: list[str]) -> list[Predictions]:
    """Return finished trials, or versions of them. Raises DataError, UnknownName."""
    from ..sweeps.trial_versions import find_predictions

    runs = vault.runs(slug)
    if not any(run.status == "done" for run in runs):
        failed = dict.fromkeys(run.trial for run in runs)
        raise DataError(
            f"All trials of {slug} failed ({', '.join(failed)}), so there are no predictions to "
            f"use. Read the errors with `fkp board {slug}`, correct the trials and run them again."
        )
    return find_predictions(vault, slug, names)


def _pick_trials(
    slug: str, dest: Path | None, names: list[str], *, live: bool
) -> list[Predictions]:
    return pick_trials(*open_vault(slug, dest, live=live), names)


COMMANDS = (sweep, ensemble)
