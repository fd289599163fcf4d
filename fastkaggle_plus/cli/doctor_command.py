"""`fkp doctor`: check this machine; `fkp doctor SLUG`: check a competition's data and split."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from rich.table import Table
from typer import Argument, Exit, Option

from ..exceptions import ConfigError
from ..ui.displays import console
from . import options
from .completion import complete_slugs

if TYPE_CHECKING:
    from ..workflow.check_competition import SplitCheck


def doctor(
    slug: Annotated[
        str,
        Argument(
            help="Check the data and the split of this competition. Default: check this machine.",
            autocompletion=complete_slugs,
        ),
    ] = "",
    online: Annotated[
        bool, Option("--online", help="Also ask Kaggle: who you are, and the hours left.")
    ] = False,
    strict: Annotated[
        bool, Option("--strict", help="SLUG: exit status 1 if something makes scores too good.")
    ] = False,
    data: Annotated[
        Path | None, Option(help="SLUG: the folder of the competition's own files.")
    ] = None,
    bundles: Annotated[
        Path | None, Option(help="SLUG: the sandbox bundles in this folder.")
    ] = None,
    live: Annotated[
        bool, Option("--live", help="SLUG: download its files from the real Kaggle.")
    ] = False,
    dest: options.Dest = None,
    folds: options.Folds = 5,
    seed: options.Seed = 42,
    as_json: options.AsJson = False,
) -> None:
    """Check this machine, or with SLUG a competition's data and split; say what to correct.

    With SLUG: leaks, copies and shifts that make CV scores too good, each with its measured effect,
    and the split that mimics train and test. The exit status is 0, with --strict 1 if a finding is
    severe. Without SLUG: the libraries, the credentials and the sandbox; the exit status is 1 if
    there is a problem.
    """
    from .display import show_json

    if not slug and (strict or data or bundles or live):
        raise ConfigError("--strict, --data, --bundles and --live need SLUG. Name a competition.")
    if slug and online:
        raise ConfigError("--online checks this machine. Leave out SLUG, or --online.")
    if not slug:
        from ..workflow.doctor import run_checks

        checks = run_checks(online=online)
        if as_json:
            show_json([c.as_json() for c in checks])
        else:
            _show_checks(checks)
        if any(c.status == "problem" for c in checks):
            raise Exit(1)
        return
    from ..workflow.check_competition import check_competition
    from ..workflow.run_progress import RunProgress

    where: dict[str, Any] = dict(data=data, bundles=bundles, dest=dest, live=live)
    with RunProgress(to_stderr=as_json) as progress:
        found = check_competition(slug, **where, seed=seed, n_folds=folds, callbacks=progress)
    if as_json:
        show_json(found.as_json())
    else:
        _show_split(found)
    if strict and found.is_severe:
        raise Exit(1)


def _show_checks(checks: Sequence[Any]) -> None:
    """Show the checks of this machine; below each warning and problem, what to do."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    for c in checks:
        grid.add_row(c.what, c.detail if c.ok else f"{c.status}: {c.detail}")
        if c.advice:
            grid.add_row("", f"-> {c.advice}")
    console().print(grid)


def _show_split(check: SplitCheck) -> None:
    """Show the findings on a split, then the split to declare."""
    out, folds = console(), check.folds
    rows = f"{len(folds):,} training rows, {check.n_test:,} test rows"
    out.print(
        f"{check.comp.slug}: {rows}; {folds.n_folds} folds, {folds.kind}, seed {folds.seed}",
        markup=False,
    )
    grid = Table.grid(padding=(0, 2, 0, 0))
    for f in check.findings:
        row = f.as_row()
        facts = [f"{f.kind}: {f.column}", f"{row['found']} {row['effect']}".strip()]
        lines = [*facts, f"-> {f.do}"] if f.do else [": ".join(facts)]
        for i, line in enumerate(lines):
            grid.add_row(f.severity if i == 0 else "", line)
    if check.findings:
        out.print(grid, markup=False)
    if all(f.is_note for f in check.findings):
        out.print("Nothing calls for action: the split mimics train and test.")
    elif advice := check.advice:
        out.print(f"The split that mimics train and test, for {check.comp.facts_file}:")
        out.print(advice, markup=False, highlight=False)
    else:
        out.print(f"No other [split] would mimic train and test better than {folds.kind}.")
