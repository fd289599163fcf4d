"""The command that writes a run's report again."""

import webbrowser
from pathlib import Path
from typing import Annotated

from typer import Option, echo

from . import options


def report(
    slug: options.Slug,
    dest: options.Dest = None,
    live: Annotated[
        bool, Option("--live", help="The report of the run on the real Kaggle.")
    ] = False,
    open_page: Annotated[bool, Option("--open", help="Open the report in the browser.")] = False,
) -> None:
    """Write a run's report again, with every trial in its vault. Nothing is trained or sent."""
    from ..competition import load_comp
    from ..reporting import rebuild_report

    name = load_comp(slug).slug if Path(slug).is_dir() else slug
    folder = dest or Path("runs") / name
    file = rebuild_report(name, folder / "live" if live else folder, is_live=live)
    echo(file)
    if open_page and not webbrowser.open(file.resolve().as_uri()):
        echo("No browser opened: open this file yourself.", err=True)
