"""The command `lesson`: list the course's lessons, or write one as a notebook."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option, echo

from . import options
from .completion import complete_lessons


def lesson(
    name: Annotated[
        str, Argument(help="Default: list all lessons.", autocompletion=complete_lessons)
    ] = "",
    to: Annotated[Path, Option(help="Folder for the notebook.")] = Path("."),
    as_json: options.AsJson = False,
) -> None:
    """List the lessons of the course, or write one as a notebook.

    A lesson needs no competition, no internet and no GPU. Open it with Jupyter, and run its cells.
    """
    from ..notebooks import all_lessons, write_lesson
    from .display import show_json, show_table

    if name:
        file = write_lesson(name, to)
        if as_json:
            show_json({"file": str(file)})
        else:
            echo(file)
        return
    lessons = all_lessons()
    if as_json:
        show_json([{"name": found.name, "title": found.title} for found in lessons])
        return
    show_table(["lesson", "title"], [[found.name, found.title] for found in lessons], whole=(0,))
    echo("To write one as a notebook: fkp lesson NAME")
