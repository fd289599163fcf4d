"""Write files safely: in one step, without losing what was there, with readable disk errors."""

import errno
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .exceptions import KaggleError

_FULL = (errno.ENOSPC, errno.EDQUOT)
_LARGEST_TEXT = 2**28  # bytes; a larger file, such as weights, is known by its bytes only


@contextmanager
def disk_errors(
    dest: Path,
    other: str = "another folder",  # what to use instead, for the message
) -> Iterator[None]:
    """Turn an error of the disk into a KaggleError; raise every other error unchanged."""
    import requests  # slow, and the processes of a sweep need only the other functions

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
    """Hashes of files, each with a note: JSON lines that several processes may add to.

    A file is known by its bytes, or by its lines: see `lines_hash`.
    """

    def __init__(self, path: Path):
        self.path = path

    def add(self, file: Path, note: str) -> None:
        """Add the hashes of `file`; the first note about this content is kept."""
        if self.note_of(file):
            return
        hashes = {"sha256": file_hash(file), "lines": lines_hash(file)}
        line = json.dumps({**hashes, "note": note, "file": str(file.absolute())})
        with disk_errors(self.path, "another FKP_HOME"):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # One unbuffered write: lines of two processes do not mix. The first newline ends a line
            # that a kill cut short.
            with open(self.path, "ab", buffering=0) as f:
                f.write(f"\n{line}\n".encode())

    def note_of(self, file: Path) -> str:
        """Return the note about a file with this content, "" if it is not in the list."""
        if not self.path.exists():
            return ""
        sha256, lines = file_hash(file), lines_hash(file)
        for line in self.path.read_text(encoding="utf-8", errors="replace").splitlines():
            with suppress(ValueError, KeyError, TypeError):  # a kill cut this line short
                entry = json.loads(line)
                if entry["sha256"] == sha256 or (lines and entry.get("lines") == lines):
                    return str(entry["note"])
        return ""


def file_hash(path: Path, algorithm: str = "sha256") -> str:
    """Return the hash of a file, in hex."""
    with open(path, "rb") as f:
        return hashlib.file_digest(f, algorithm).hexdigest()


def lines_hash(path: Path) -> str:
    """Return the hash of a file's lines; "" for a file without lines, or too large for a csv.

    Line ends, blank lines, quotation marks and a byte order mark do not change it.
    """
    if path.stat().st_size > _LARGEST_TEXT:
        return ""
    digest, has_text = hashlib.sha256(), False
    # latin-1 decodes every byte, so that a binary file has a hash too
    with open(path, encoding="latin-1", newline=None) as f:
        for number, line in enumerate(f):
            text = line.removeprefix("\xef\xbb\xbf") if number == 0 else line
            if text := text.strip().replace('"', ""):
                digest.update(f"{text}\n".encode())
                has_text = True
    return digest.hexdigest() if has_text else ""


def is_locked(file: Path) -> bool:
    """Say whether another process holds the lock of this file."""
    from filelock import FileLock, Timeout  # imported here because this module must import fast

    lock = FileLock(file)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    lock.release()
    return False
