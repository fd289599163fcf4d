"""Put what was downloaded in its place: what was there is kept, and a disk that does not take it is told in words."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from .exceptions import KaggleError

_FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def disk_errors(
    dest: Path,
    other: str = "another folder",  # what to give instead, for the message
) -> Iterator[None]:
    "Turn what the system refuses to write into a KaggleError; what failed for another reason comes as it is."
    try:
        yield
    except requests.RequestException:  # an OSError too, and nothing of the disk
        raise
    except OSError as e:
        if e.errno in _FULL:
            raise KaggleError(
                f"The disk of {dest.absolute()} is full ({e.strerror}). Free some space, or give {other}; what was downloaded is kept "
                "and the next call goes on from there."
            ) from e
        if e.errno is not None:
            raise KaggleError(
                f"Cannot write {e.filename or dest.absolute()}: {e.strerror}. Give {other} that you may write to."
            ) from e
        raise


def make_room(target: Path) -> None:
    "Rename a file that stands at `target` to NAME.old, so that nothing of the user's is lost; refuse a folder."
    if target.is_dir():
        raise IsADirectoryError(
            errno.EISDIR, "it is a folder, and a file of that name is to come", str(target)
        )
    if target.exists():
        kept = target.with_name(target.name + ".old")
        while kept.exists():
            kept = kept.with_name(kept.name + ".old")
        target.rename(kept)
