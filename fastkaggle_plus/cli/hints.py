"""Hints that commands add when they are interrupted."""

import contextlib
from collections.abc import Iterator

from typer import Exit, echo


@contextlib.contextmanager
def resumable() -> Iterator[None]:
    """On Ctrl-C, say that the same command resumes the work, and exit with status 130."""
    try:
        yield
    except KeyboardInterrupt:
        echo("interrupted. Finished trials are kept: run the same command to resume.", err=True)
        raise Exit(130) from None
