"""The command `board`: list the trials of a vault, and redraw the list while a sweep runs."""

from __future__ import annotations

import contextlib
import io
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text
from typer import Option, echo

from ..exceptions import DataError, last_line
from ..ui.displays import clock, console
from . import options
from .sweep_commands import open_vault

if TYPE_CHECKING:
    from ..predictions import Predictions
    from ..sweeps.stored_run import StoredRun
    from ..sweeps.vault import Vault

_PAUSE_S = 1.0  # between two looks at the vault


def board(
    slug: options.Slug,
    dest: options.Dest = None,
    live: options.LiveResults = False,
    all: Annotated[bool, Option("--all", help="List older versions of each trial too.")] = False,
    watch: Annotated[
        bool, Option("--watch", help="In a terminal: redraw it until the running sweep ends.")
    ] = False,
    as_json: options.AsJson = False,
) -> None:
    """List every trial in a run's vault, best first, with its verdict; failed ones last.

    --watch ends with Ctrl-C, or with the sweep. In a pipe it prints the list once.
    """
    if watch and not as_json and (out := console()).is_terminal:
        _watch(out, slug, dest, live=live, all=all)
    vault, name = open_vault(slug, dest, live=live)
    if as_json:
        _show_as_json(vault, name, all=all)
    else:
        _show(console(), vault, name, live=live, all=all)


def _show(out: Console, vault: Vault, slug: str, *, live: bool, all: bool) -> None:
    """Show the board, and below it what a reader should know."""
    from ..sweeps import board as make_board
    from ..sweeps import repeat_spread, stored_log
    from ..sweeps.trial_versions import with_older_features
    from .show_trials import show_answers, show_board, show_repeats

    found, others, failed = _read(vault, slug, all=all)
    pruned = vault.pruned(slug)
    rows = make_board(found, stopped=list(pruned.values()))
    show_board(rows, out=out, metric=rows[0].metric if rows else "", failed=failed)
    if tested := [e for e in stored_log(vault, slug, rows=rows) if e.trial.base]:
        show_answers(tested, out=out)
    if pruned:
        trials = "1 trial was" if len(pruned) == 1 else f"{len(pruned)} trials were"
        text = f"pruned: {trials} stopped by a search after a fold, and not ranked"
        out.print(text, soft_wrap=True)
    if others:
        listed = ", ".join(f"{r.trial}@{r.version} ({r.measured})" for r in others)
        out.print(f"on other rows or folds: {listed}", soft_wrap=True)
    if older := with_older_features(vault, slug):
        out.print(
            f"older features: {', '.join(older)} ran before the features changed, and cannot be "
            "compared fairly with the others. "
            f"Run again: fkp sweep {slug}{' --live' if live else ''}",
            soft_wrap=True,
        )
    if spreads := repeat_spread(vault.latest(slug)[0] if all else found):
        show_repeats(spreads, out=out)


def _show_as_json(vault: Vault, slug: str, *, all: bool) -> None:
    from ..sweeps import board as make_board
    from ..sweeps import stored_log
    from .display import show_json

    found, _, failed = _read(vault, slug, all=all)
    rows = make_board(found, stopped=list(vault.pruned(slug).values()))
    entries = (entry.as_row() for entry in stored_log(vault, slug, rows=rows))
    answers = {e["trial"]: {k: e[k] for k in ("hypothesis", "answer")} for e in entries}
    shown = [{**r.as_json(), **answers.get(r.name, {}), "error": "", "traceback": ""} for r in rows]
    for name, error in failed.items():
        shown.append({"name": name, "error": last_line(error), "traceback": error})
    show_json(shown)


def _read(
    vault: Vault, slug: str, *, all: bool
) -> tuple[list[Predictions], list[StoredRun], dict[str, str]]:
    """Return the finished trials, runs on other rows or folds, and tracebacks of failed trials."""
    from ..sweeps.trial_versions import all_versions

    found, failed = vault.latest(slug)
    versions, others = all_versions(vault, slug) if all else (found, [])
    return versions, others, failed


def _watch(out: Console, slug: str, dest: Path | None, *, live: bool, all: bool) -> None:
    """Redraw the progress and the board until the sweep ends or the user presses Ctrl-C."""
    from ..sweeps.vault import output_folder
    from ..workflow.workspace import is_running

    folder = output_folder(Path(slug).resolve().name, dest, live=live)
    if not is_running(folder):
        echo(f"No sweep runs in {folder} now.")
        return
    state, drawn = None, Text()
    with (
        contextlib.suppress(KeyboardInterrupt),
        Live(console=out, auto_refresh=False, transient=True) as screen,
    ):
        while is_running(folder):
            with contextlib.suppress(DataError):  # nothing has finished yet
                vault, name = open_vault(slug, dest, live=live)
                if state != (now := [(run.key, run.date) for run in vault.runs(name)]):
                    page = io.StringIO()
                    paper = Console(file=page, force_terminal=True, width=out.width, markup=False)
                    _show(paper, vault, name, live=live, all=all)
                    state, drawn = now, Text.from_ansi(page.getvalue())
            screen.update(Group(_progress(folder / "vault"), drawn), refresh=True)
            time.sleep(_PAUSE_S)


def _progress(vault: Path) -> Text:
    """Return the progress of the running sweep: the counts, then a line for each running trial."""
    from ..sweeps.sweep_bar import ProgressFile

    if (shown := ProgressFile(vault).read()) is None:
        return Text("The sweep reads its data, or finishes. Ctrl-C ends this view only.")
    share, label, left_s = shown
    counts, _, running = label.partition("  ")
    left = "" if left_s is None else f"  ETA {clock(left_s)}"
    lines = [f"{counts}  {share:.0%}{left}", *running.split("; ")]
    return Text("\n  ".join(lines))
