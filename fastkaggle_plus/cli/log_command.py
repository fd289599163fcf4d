"""The command `log`: what each trial should show, and what the data say."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Option, echo

from ..ui.displays import console
from . import options
from .sweep_commands import open_vault

if TYPE_CHECKING:
    from ..sweeps import LogEntry


def log(
    slug: options.Slug,
    dest: options.Dest = None,
    live: options.LiveResults = False,
    notebook: Annotated[
        Path | None, Option(help="Write the log as a notebook too: the story, tests and plots.")
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """List each hypothesis, the gain that was expected, the gain that was measured, the verdict.

    The hypothesis of a trial with a base is tested against that base on the same rows. The p-values
    are adjusted for all pairs of these trials.
    """
    from ..sweeps.stored_log import declared_trials, stored_log
    from .display import show_json

    vault, name = open_vault(slug, dest, live=live)
    entries = stored_log(vault, name, declared_trials(vault, name))
    if notebook:
        from ..competition import load_comp
        from ..notebooks import write_log_notebook

        own = load_comp(slug).folder if vault.scoring else None
        write_log_notebook(entries, notebook, vault=vault, slug=name, folder=own)
    if as_json:
        show_json({"summary": entries.summary, "hypotheses": [e.as_json() for e in entries]})
        return
    out = console()
    for number, entry in enumerate(entries, 1):
        out.print(f"{number}. {entry.trial.hypothesis or entry.trial.name}", soft_wrap=True)
        for line in filter(None, _lines(entry)):
            out.print(f"   {line}", soft_wrap=True)
    out.print(f"\n{entries.summary}", soft_wrap=True)
    if notebook:
        echo(notebook)


def _lines(entry: LogEntry) -> list[str]:
    """Return what the log says about a hypothesis, below it."""
    trial, preds, gain = entry.trial, entry.preds, entry.gain
    changed = f"{trial.name}: {trial.base}, with {entry.change}" if trial.base else trial.name
    p_value, score = "", ""
    if gain:
        p_value = f"p = {gain.p_value:.2g} ({entry.test}), adjusted {entry.p_adjusted:.2g}"
    if preds:
        score = f"{preds.metric} {preds.oof_score:.4f} ± {preds.oof_score_se:.4f}"
        score += f", {preds.about.get('date', '')}, version {entry.version}"
    if entry.earlier:
        older = (f"{r.version} {r.oof_score:.4f} ({r.measured})" for r in entry.earlier)
        score += f"; earlier {', '.join(older)}"
    return [changed, entry.answer, p_value, score]
