"""Commands about this machine: free its disk."""

from typing import Annotated

from typer import Argument, Exit, confirm, echo

from . import options
from .completion import complete_slugs
from .doctor_command import doctor


def clean(
    slug: Annotated[
        str,
        Argument(
            help="Only this competition. Default: all in runs/, and the caches.",
            autocompletion=complete_slugs,
        ),
    ] = "",
    dest: options.Dest = None,
    yes: options.Remove = False,
    as_json: options.AsJson = False,
) -> None:
    """Remove old rehearsal copies, caches of decoded images and unfinished folders.

    They are made again when needed. Vaults, results, reports, submissions and journals stay.
    """
    from ..workflow.clean import find_leftovers, remove, size_text
    from .display import show_json, show_table

    found = find_leftovers(slug, dest=dest)
    total = size_text(sum(item.size for item in found))
    if as_json:
        show_json([item.as_json() for item in found])
    elif found:
        cells = [[item.size_text, item.what, item.path] for item in found]
        show_table(["size", "what", "folder"], cells, numbers=(0,))
    if not found:
        echo("Nothing to remove.", err=as_json)
    elif yes or confirm(f"Remove these {len(found)}, {total}?", default=False, err=as_json):
        for path in remove(found):
            echo(f"kept, because a rehearsal uses it: {path}", err=True)
        echo(f"Removed {total}.", err=as_json)
    else:
        echo("Nothing was removed.", err=as_json)
        raise Exit(1)


COMMANDS = (doctor, clean)
