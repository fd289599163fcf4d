"""Before a command uses the real Kaggle: require --live, show what will be sent, and ask."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import typer

from ..environment import points_to_sandbox
from ..exceptions import ConfigError, NothingSent

if TYPE_CHECKING:
    from ..workflow.submit import Plan


def require_live(verb: str, *, live: bool, rehearse: str = "rehearse with `fkp run SLUG`") -> None:
    """Raise ConfigError without --live, unless Kaggle's clients here use a sandbox."""
    if not (live or points_to_sandbox()):
        raise ConfigError(
            f"`fkp {verb}` talks to the real Kaggle, and without --live nothing leaves this "
            f"machine. Nothing was sent. Add --live, or {rehearse}."
        )
    if live:
        say_target()


def say_target() -> None:
    """Say, before the first request of a live command, which Kaggle it goes to."""
    if points_to_sandbox():
        text = "sandbox: the environment points to it, so --live does not reach the real Kaggle"
    else:
        text = "asking Kaggle ..."
    typer.echo(text, err=True)


class Confirm:
    """Show the plan of a write and ask whether to send it. A sandbox is not asked about."""

    def __init__(
        self,
        *,
        live: bool,
        yes: bool = False,  # send without the question
        dry_run: bool = False,  # only show the plan
        as_json: bool = False,  # the plan of a dry run is the JSON value of the command
    ):
        self.yes, self.dry_run, self.as_json = yes, dry_run, as_json
        asks = live and not (yes or dry_run or points_to_sandbox())
        if asks and not sys.stdin.isatty():
            raise ConfigError(
                "This command asks before it sends something, and it needs a terminal for the "
                "question. Nothing was sent. Add --yes to send without it. `fkp submit` and "
                "`fkp push` take --dry-run, which only shows what would be sent."
            )

    def __call__(self, plan: Plan) -> bool:
        from .display import show_json
        from .show_outcomes import show_plan  # rich is slow to import

        if self.dry_run and self.as_json:
            show_json(plan.as_json(), one_line=True)
        elif self.dry_run or plan.is_live:
            show_plan(plan, to_stderr=self.as_json)
        if self.dry_run or plan.is_repeat or not plan.is_live or self.yes:
            return not self.dry_run
        return typer.confirm("Send it?", default=False, err=self.as_json)


def end_unsent(*, dry_run: bool) -> None:
    """Say that nothing was sent; exit with an error if the user refused."""
    typer.echo("Dry run: nothing was sent." if dry_run else "Nothing was sent.", err=True)
    raise typer.Exit(0 if dry_run else 1)


@contextlib.contextmanager
def sends(*, dry_run: bool) -> Iterator[None]:
    """End the command after a plan that was only shown, or refused."""
    try:
        yield
    except NothingSent:
        end_unsent(dry_run=dry_run)
