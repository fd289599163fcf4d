"""Write files safely: in one step, without losing what was there, with readable disk errors."""

import errno
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import requests

from .exceptions import KaggleError

_FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def disk_errors(
    dest: Path,
    other: str = "another folder",  # what to use instead, for the message
) -> Iterator[None]:
    """Turn an error of the disk into a KaggleError; raise every other error unchanged."""
    try:
        yield
    except requests.RequestException:  # is an OSError too, but not about the disk
        raise
    except OSError as e:
        if e.errno in _FULL:
            raise KaggleError(
                f"The disk of {dest.absolute()} is full ({e.strerror}). Free some space, or use "
                f"{other}. The downloaded part is kept; the next call resumes there."
            ) from e
        if e.errno is not None:
            raise KaggleError(
                f"Cannot write {e.filename or dest.absolute()}: {e.strerror}. "
                f"Use {other} that you may write to."
            ) from e
        raise


def make_room(target: Path) -> None:
    """Rename an existing file `target` to NAME.old, so that it is not lost; refuse a folder."""
    if target.is_dir():
        raise IsADirectoryError(
            errno.EISDIR, "it is a folder, and a file of the same name is needed", str(target)
        )
    if target.exists():
        kept = target.with_name(target.name + ".old")
        while kept.exists():
            kept = kept.with_name(kept.name + ".old")
        target.rename(kept)


def write_atomically(path: Path, text: str) -> None:
    """Write `text` to `path` in one step: a kill leaves the old file or the new one."""
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


class HashList:
    """Hashes of files, each with a note: JSON lines that several processes may add to."""

    def __init__(self, path: Path):
        self.path = path

    def add(self, file: Path, note: str) -> None:
        """Add the hash of `file`; the first note about these bytes is kept."""
        if self.note_of(file):
            return
        line = json.dumps({"sha256": file_hash(file), "note": note, "file": str(file.absolute())})
        with disk_errors(self.path, "another FKP_HOME"):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # One unbuffered write: lines of two processes do not mix. The first newline ends a line
            # that a kill cut short.
            with open(self.path, "ab", buffering=0) as f:
                f.write(f"\n{line}\n".encode())

    def note_of(self, file: Path) -> str:
        """Return the note about a file with these bytes, "" if it is not in the list."""
        if not self.path.exists():
            return ""
        sha256 = file_hash(file)
        for line in self.path.read_text(encoding="utf-8", errors="replace").splitlines():
            with suppress(ValueError, KeyError, TypeError):  # a kill cut this line short
                if (entry := json.loads(line))["sha256"] == sha256:
                    return str(entry["note"])
        return ""


def file_hash(path: Path, algorithm: str = "sha256") -> str:
    """Return the hash of a file, in hex."""
    with open(path, "rb") as f:
        return hashlib.file_digest(f, algorithm).hexdigest()
