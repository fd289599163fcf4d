"""The command that writes a run's report again."""

import webbrowser
from pathlib import Path
from typing import Annotated

from typer import Option, echo

from . import options


def report(
    slug: options.Slug,
    dest: options.Dest = None,
    live: options.LiveResults = False,
    open_page: Annotated[bool, Option("--open", help="Open the report in the browser.")] = False,
) -> None:
    """Write a run's report again, with every trial in its vault. Nothing is trained or sent."""
    from ..competition import load_comp
    from ..reporting import rebuild_report
    from ..sweeps.vault import output_folder

    name = load_comp(slug).slug if Path(slug).is_dir() else slug
    file = rebuild_report(name, output_folder(name, dest, live=live), is_live=live)
    echo(file)
    if open_page and not webbrowser.open(file.resolve().as_uri()):
        echo("No browser opened: open this file yourself.", err=True)
