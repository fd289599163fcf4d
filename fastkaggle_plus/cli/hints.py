"""Hints that commands add when they are interrupted or lack credentials."""

import contextlib
from collections.abc import Iterator

from typer import Exit, echo

from ..exceptions import NoCredentials


@contextlib.contextmanager
def resumable() -> Iterator[None]:
    """On Ctrl-C, say that the same command resumes the work, and exit with status 130."""
    try:
        yield
    except KeyboardInterrupt:
        echo("interrupted. Finished trials are kept: run the same command to resume.", err=True)
        raise Exit(130) from None


@contextlib.contextmanager
def explain_missing_rehearsal() -> Iterator[None]:
    """Without credentials, say where to find the files of a notebook that was only rehearsed."""
    try:
        yield
    except NoCredentials as e:
        raise NoCredentials(
            f"{e}\nA rehearsal's Kaggle ends with its command: the files that a rehearsed notebook "
            "wrote, its log too, are in runs/SLUG/output.",
            status=e.status,
            said=e.said,
        ) from None
