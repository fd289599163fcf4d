"""The journal: what we are about to send, written down before it is sent. JSON lines, one writer at a time."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from ..environment import home
from ..exceptions import KaggleError, KaggleUnavailable


@dataclass(frozen=True)
class Entry:
    "One attempt to send one thing."

    id: str  # of the attempt
    origin: str  # "sandbox" or the endpoint
    user: str
    slug: str  # of the competition; owner/slug of a kernel or dataset
    sha256: str  # of what is sent
    size: int  # bytes
    file_name: str
    description: str  # of a submission; a dataset's version notes
    time: str  # when it was written down, ISO, UTC
    state: str = "uploading"  # uploading | creating (the answer may be lost) | sent | refused
    before: tuple[
        int, ...
    ] = ()  # submissions, or the version, that were there already when we began to create this one
    ref: int = 0  # Kaggle's number of the submission or version, 0 = not known
    date: str = ""  # Kaggle's date, "" = not seen yet
    kind: str = "submission"  # submission | kernel | dataset

    @property
    def key(self) -> tuple[str, ...]:
        "What makes two attempts the same."
        return self.kind, self.origin, self.user, self.slug, self.sha256, self.description


class Journal:
    "The attempts so far, in one file that survives a kill."

    def __init__(
        self,
        path: str
        | Path
        | None = None,  # a .jsonl file, or a folder to keep one in; None = environment.home()
    ):
        path = Path(path) if path else home()
        self.path = path if path.suffix or path.is_file() else path / "journal.jsonl"

    def entries(self) -> list[Entry]:
        "Return every attempt in its latest state, oldest first."
        if not self.path.exists():
            return []
        latest: dict[str, Entry] = {}
        for line in self.path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                fields = json.loads(line)
                entry = Entry(**{**fields, "before": tuple(fields.get("before", ()))})
            except (ValueError, TypeError, AttributeError):
                continue  # the line a kill cut short: what it would have said never happened
            latest[entry.id] = entry
        return list(latest.values())

    def attempts(self, key: tuple[str, ...]) -> list[Entry]:
        "Return the attempts with this key, newest first."
        return [e for e in reversed(self.entries()) if e.key == key]

    def write(self, entry: Entry) -> Entry:
        "Put `entry` on disk, for good, and return it."
        with _writable(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with open(self.path, "a+b") as f:
                # After a cut line the next one must not be glued to it.
                if f.tell() and not _ends_in_newline(f.name):
                    f.write(b"\n")
                f.write(json.dumps(asdict(entry)).encode() + b"\n")
                f.flush()
                os.fsync(f.fileno())
        return entry

    @contextmanager
    def lock(self, timeout_s: float) -> Iterator[None]:
        "Hold the journal: two processes that send the same thing at once must not both send it."
        lock = FileLock(f"{self.path}.lock", timeout=timeout_s)
        try:
            with _writable(self.path):
                self.path.parent.mkdir(parents=True, exist_ok=True)
                lock.acquire()
        except Timeout:
            raise KaggleUnavailable(
                f"Another process has been sending for more than {timeout_s:.0f} s (lock: {self.path}.lock). "
                "Wait for it, or end it, then call again."
            ) from None
        try:
            yield
        finally:
            lock.release()


@contextmanager
def _writable(path: Path) -> Iterator[None]:
    try:
        yield
    except Timeout:  # an OSError too
        raise
    except OSError as e:
        raise KaggleError(
            f"The journal {path} cannot be written: {e.strerror}. Give a `journal` that can; "
            "without one a lost answer could not be told from a request that never arrived."
        ) from e


def _ends_in_newline(path: str) -> bool:
    with open(path, "rb") as f:
        f.seek(-1, os.SEEK_END)
        return f.read(1) == b"\n"
