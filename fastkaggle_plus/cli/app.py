"""The `fkp` command: registers every subcommand and turns known errors into one line."""

import errno
import sqlite3
import sys

import typer

from ..exceptions import FastkaggleError
from . import model_commands, notebook_commands, run_commands, sandbox_commands, sweep_commands
from .report_command import report

_DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)

app = typer.Typer(
    help="Rehearse, measure and submit Kaggle competitions.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.add_typer(sandbox_commands.app, name="sandbox")
app.command("list")(run_commands.list_competitions)
app.command()(report)
for module in (run_commands, sweep_commands, notebook_commands, model_commands):
    for command in module.COMMANDS:
        app.command()(command)


def main() -> None:
    """Run the command line. A known error is one line on stderr, with exit status 1."""
    try:
        app(standalone_mode=True)
    except FastkaggleError as e:
        sys.exit(f"error: {e}")
    except sqlite3.OperationalError as e:
        sys.exit(f"error: {_with_disk_advice(str(e))}")
    except OSError as e:
        text = f"{e.strerror or e}{f': {e.filename}' if e.filename else ''}"
        sys.exit(f"error: {_with_disk_advice(text) if e.errno in _DISK_ERRORS else text}")


def _with_disk_advice(text: str) -> str:
    return f"{text}. Free some space, or choose a writable folder with --dest."
