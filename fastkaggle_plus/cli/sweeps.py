"""The subcommands about trials: measure them, show what a run's vault holds, compare two."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from .notebooks import AsJson, Dest, Folds, Seed, Slug


def sweep(
    slug: Slug,
    trials: Annotated[
        list[str] | None,
        typer.Option(
            "--trials", help="Name of a trial to run; may be given several times. Default: all."
        ),
    ] = None,
    declared: Annotated[
        str, typer.Option("--list", help="Which tuple of trials.py to run, as in PART_2.")
    ] = "TRIALS",
    folds: Folds = 5,
    holdout: Annotated[
        float | None,
        typer.Option(help="Share of the rows to hold out, as in 0.2, instead of folds."),
    ] = None,
    seed: Seed = 42,
    repeats: Annotated[int, typer.Option(help="Runs of each trial, each with another seed.")] = 1,
    max_trials: Annotated[
        int | None,
        typer.Option(
            help="Budget: start no more trials than this; what the vault holds costs nothing."
        ),
    ] = None,
    max_epochs: Annotated[
        int | None, typer.Option(help="Budget: epochs of all trials on all folds.")
    ] = None,
    stop_after: Annotated[
        float | None, typer.Option(help="Minutes after which no trial starts.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="Trials at once. Default: one for each --threads cores.")
    ] = None,
    threads: Annotated[int, typer.Option(help="Numeric threads of each trial.")] = 1,
    bundles: Annotated[
        Path | None, typer.Option(help="Rehearse against the sandbox bundles in this folder.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="Rehearse by holding out labelled rows of the files in this folder."),
    ] = None,
    live: Annotated[
        bool, typer.Option("--live", help="Download from the real Kaggle, with your account.")
    ] = False,
    dest: Dest = None,
    as_json: AsJson = False,
) -> None:
    "Measure a competition's trials, each in a process of its own, into the vault that `fkp run` uses. Nothing is submitted."
    from ..workflow.run import sweep as run_sweep
    from .render import RunWatcher, show_json, show_sweep

    with interruptible(), RunWatcher(to_stderr=as_json) as watcher:
        swept = run_sweep(
            slug,
            bundles=bundles,
            data=data,
            dest=dest,
            live=live,
            seed=seed,
            n_folds=folds,
            holdout=holdout,
            declared=declared,
            trials=trials,
            repeats=repeats,
            watcher=watcher,
            workers=workers,
            threads=threads,
            max_trials=max_trials,
            max_epochs=max_epochs,
            stop_after_s=None if stop_after is None else 60 * stop_after,
        )
    show_sweep(swept, to_stderr=as_json)
    if as_json:
        show_json(swept.as_json(), one_line=True)
    if swept.failed and not swept.rows:
        raise typer.Exit(1)  # nothing was measured


def board(slug: Slug, dest: Dest = None, as_json: AsJson = False) -> None:
    "Show every trial in a run's vault, best first, each compared with the best; failed ones last."
    from ..sweeps import board as make_board
    from ..sweeps import repeat_spread
    from .render import last_line, show_board, show_json, show_repeats

    found, failed = vault_of(slug, dest)
    rows = make_board(found)
    if as_json:
        show_json(
            [
                *({**r.as_json(), "error": "", "traceback": ""} for r in rows),
                *(
                    {"name": name, "error": last_line(error), "traceback": error}
                    for name, error in failed.items()
                ),
            ]
        )
        return
    show_board(rows, metric=found[0].metric if found else "", failed=failed)
    if spreads := repeat_spread(found):
        show_repeats(spreads)


def compare(slug: Slug, a: str, b: str, dest: Dest = None, as_json: AsJson = False) -> None:
    "Test whether trial A is better than trial B, on the same rows."
    from ..evidence import compare as paired
    from .render import show_json

    found = {p.name: p for p in finished(slug, dest)}
    result = paired(pick(found, a), pick(found, b))
    show_json({**asdict(result), "is_noise": result.is_noise}) if as_json else print(result)


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    "Let Ctrl-C end a run with a word on what is kept."
    try:
        yield
    except KeyboardInterrupt:
        print(
            "interrupted. What finished is kept: the same command goes on from there.",
            file=sys.stderr,
        )
        raise typer.Exit(130) from None


def vault_of(slug: str, dest: Path | None) -> tuple[list[Any], dict[str, str]]:
    "What a run's vault holds: predictions that can be compared, and the errors of trials that failed. Raises DataError where nothing has run."
    from ..competition import load_comp
    from ..exceptions import DataError
    from ..sweeps import Vault

    name = load_comp(slug).slug if Path(slug).is_dir() else slug
    folder = dest or Path("runs") / name
    if not (folder / "vault").is_dir():
        raise DataError(
            f"{folder} holds no vault. Make one with `fkp run {name}`, or name the folder with --dest."
        )
    found, failed = Vault(folder / "vault").latest(name)
    if not (found or failed):
        raise DataError(f"No trial of {name} has run in {folder / 'vault'}.")
    return found, failed


def finished(slug: str, dest: Path | None) -> list[Any]:
    "The predictions among them. Raises DataError where there are none."
    from ..exceptions import DataError

    found, failed = vault_of(slug, dest)
    if not found:
        raise DataError(
            f"No trial of {slug} has finished. Failed: {', '.join(failed)}. `fkp board {slug}` says why."
        )
    return found


def pick(found: dict[str, Any], name: str) -> Any:
    "The trial of that name. Raises UnknownName."
    from ..exceptions import UnknownName

    if name not in found:
        raise UnknownName("trial", name, found)
    return found[name]


COMMANDS = (sweep, board, compare)
