"""The `fkp` command: registers every subcommand and turns known errors into one line."""

import errno
import sqlite3
import sys
from typing import Annotated

import typer

from .. import __version__
from ..exceptions import FastkaggleError
from . import (
    kernel_commands,
    leaderboard_commands,
    machine_commands,
    model_commands,
    notebook_commands,
    run_commands,
    sandbox_commands,
    sweep_commands,
    vault_commands,
)
from .app_command import model_app
from .board_command import board
from .command import Command
from .compare_command import compare
from .explain_command import explain
from .export_command import export
from .lesson_command import lesson
from .log_command import log
from .report_command import report
from .search_command import search

_DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False)
app.command("list", cls=Command)(run_commands.list_competitions)
app.command("app", cls=Command)(model_app)
for command in (
    *run_commands.COMMANDS,
    *leaderboard_commands.COMMANDS,
    *sweep_commands.COMMANDS,
    board,
    log,
    compare,
    explain,
    export,
    search,
    report,
    *notebook_commands.COMMANDS,
    lesson,
    *model_commands.COMMANDS,
    *machine_commands.COMMANDS,
):
    app.command(cls=Command)(command)
app.add_typer(sandbox_commands.app, name="sandbox")
app.add_typer(vault_commands.app, name="vault")
app.add_typer(kernel_commands.app, name="kernels")


def _show_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"fkp {__version__}")
        raise typer.Exit


@app.callback()
def _fkp(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Show the version and exit.", callback=_show_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Rehearse, measure and submit Kaggle competitions.

    Nothing leaves this machine without --live. `fkp COMMAND --help` has examples.
    """


def main() -> None:
    """Run the command line. A known error is one line on stderr, with exit status 1."""
    try:
        app(prog_name="fkp", standalone_mode=True)
    except FastkaggleError as e:
        sys.exit(f"error: {e}")
    except sqlite3.OperationalError as e:
        sys.exit(f"error: {_with_disk_advice(str(e))}")
    except sqlite3.DatabaseError as e:
        sys.exit(
            f"error: {e}: the database of a vault, vault.db, is damaged. Move its vault folder "
            "away, and take the runs of a copy with `fkp vault merge`, or run the sweep again."
        )
    except OSError as e:
        text = f"{e.strerror or e}{f': {e.filename}' if e.filename else ''}"
        sys.exit(f"error: {_with_disk_advice(text) if e.errno in _DISK_ERRORS else text}")


def _with_disk_advice(text: str) -> str:
    return f"{text}. Free some space, or choose a writable folder with --dest."
