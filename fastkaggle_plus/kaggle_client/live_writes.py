"""Guard writes to the real Kaggle: announce them, refuse files that a rehearsal wrote."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..environment import rehearsed_files
from ..exceptions import SubmissionError
from ..files import HashList
from . import api


def announce(
    client: Any,
    what: str,  # the write, as in "submit a.csv to titanic"
) -> None:
    """Print account and target of a write, unless it goes to a sandbox."""
    if not api.is_local(client):
        sys.stderr.write(f"Kaggle account {api.user_of(client)}: {what}\n")


def remember(folder: str | Path, names: Iterable[str], note: str) -> None:
    """Remember that files are not for the real Kaggle; `note` completes "it is ..."."""
    for name in names:
        HashList(rehearsed_files()).add(Path(folder) / name, note)


def refuse_rehearsed(file: Path) -> None:
    """Raise SubmissionError if a file with this content is from a rehearsal or a dry run."""
    if note := HashList(rehearsed_files()).note_of(file):
        raise SubmissionError(
            f"{file} was not sent: it is {note}, and the rows of the real competition differ. Make "
            "the file again from the real data (`fkp run SLUG --live`). If you know that it "
            "answers the competition's own test rows, add --rehearsed (in Python: live=True)."
        )
