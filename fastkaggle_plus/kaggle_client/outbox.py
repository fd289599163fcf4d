"""Send each write once: journal it first; after a lost answer, look before sending it again."""

import json
import os
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests
from filelock import FileLock, Timeout

from ..environment import home
from ..exceptions import KaggleError, KaggleUnavailable
from . import api, http
from .api import Subject
from .polling import poll_until

MAX_LOOK_S = 5.0  # longest pause between two looks for a lost write


def _now() -> str:
    return datetime.now(UTC).isoformat()


@dataclass(frozen=True)
class Entry:
    """One attempt to send one thing."""

    origin: str  # "sandbox" or the endpoint
    user: str
    slug: str  # of the competition; owner/slug of a kernel or dataset
    sha256: str  # of what is sent
    size: int  # bytes
    file_name: str
    description: str = ""  # of a submission; a dataset's version notes; a notebook's title
    id: str = field(default_factory=lambda: uuid.uuid4().hex)  # of the attempt
    time: str = field(default_factory=_now)  # when it was journaled, ISO, UTC
    state: str = "uploading"  # uploading | creating (the answer may be lost) | sent | refused
    before: tuple[int, ...] = ()  # submissions, or the version, that existed before this one
    ref: int = 0  # Kaggle's number of the submission or version, 0 = unknown
    date: str = ""  # Kaggle's date, "" = not seen yet
    kind: str = "submission"  # submission | kernel | dataset

    @property
    def key(self) -> tuple[str, ...]:
        """What two attempts to send the same thing have in common."""
        return self.kind, self.origin, self.user, self.slug, self.sha256, self.description


class UnclearAnswer(Exception):
    """Kaggle's answer does not say whether it took the write; if not, `error` is raised."""

    def __init__(self, error: KaggleError):
        super().__init__(str(error))
        self.error = error


class Journal:
    """The attempts so far, in one file of JSON lines that survives a kill."""

    def __init__(
        self,
        path: str | Path | None = None,  # a .jsonl file or a folder; None = environment.home()
    ):
        path = Path(path) if path else home()
        self.path = path if path.suffix or path.is_file() else path / "journal.jsonl"

    def entries(self) -> list[Entry]:
        """Return every attempt in its latest state, oldest first."""
        if not self.path.exists():
            return []
        latest: dict[str, Entry] = {}
        for line in self.path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                fields = json.loads(line)
                entry = Entry(**{**fields, "before": tuple(fields.get("before", ()))})
            except (ValueError, TypeError, AttributeError):
                continue  # a kill cut this line short: its step was never taken
            latest[entry.id] = entry
        return list(latest.values())

    def attempts(self, new: Entry) -> list[Entry]:
        """Return earlier attempts to send the same that may have arrived, newest first."""
        return [
            e
            for e in reversed(self.entries())
            if e.key == new.key and e.state in ("creating", "sent")
        ]

    def with_other_text(self, new: Entry) -> Entry | None:
        """Return the newest attempt to send the same bytes with another description."""
        same = (e for e in reversed(self.entries()) if e.key[:-1] == new.key[:-1])
        sent = (e for e in same if e.state in ("creating", "sent"))
        return next((e for e in sent if e.description != new.description), None)

    def earlier(
        self,
        new: Entry,
        find: Callable[[Entry], Entry | None],  # as in `send`
        is_current: Callable[[Entry], bool],  # whether its version is the current one, unchanged
        *,
        poll_s: float,
    ) -> Entry | None:
        """Return the attempt that made the current version of the same, None without one."""
        for old in self.attempts(new)[:1]:
            if old.ref:
                return old if is_current(old) else None
            if found := look_up(find, old, poll_s=poll_s):  # its answer was lost
                return self.write(found)
        return None

    def write(self, entry: Entry, **changes: Any) -> Entry:
        """Put `entry` with its changes on disk and return it."""
        entry = replace(entry, **changes)
        with self._writable(), open(self.path, "ab") as f:
            # On a line of its own, even if a kill cut the last line short.
            f.write(b"\n" + json.dumps(asdict(entry)).encode())
            f.flush()
            os.fsync(f.fileno())
        return entry

    @contextmanager
    def lock(
        self,
        timeout_s: float,
        name: str = "",  # owner/slug of a dataset: its upload does not block submissions
    ) -> Iterator[None]:
        """Let one process at a time send: two of them must not both send the same thing."""
        part = f".{name.replace('/', '.')}" if name else ""
        lock = FileLock(f"{self.path}{part}.lock", timeout=timeout_s)
        try:
            with self._writable():
                lock.acquire()
        except Timeout:
            raise KaggleUnavailable(
                f"Another process has been sending{name and f' {name}'} for more than "
                f"{timeout_s:.0f} s (lock: {lock.lock_file}). Wait for it, or end it, then call "
                "again."
            ) from None
        try:
            yield
        finally:
            lock.release()

    def send(
        self,
        about: Subject,  # the competition, dataset or notebook
        entry: Entry,  # with `before` filled in; the journal is locked
        *,
        doing: str,  # the verb for messages
        create: Callable[[], int],  # sends it and returns Kaggle's number, 0 = not known yet
        find: Callable[[Entry], Entry | None],  # the entry with its number, None = not at Kaggle
        poll_s: float,  # pause between polls
        tries: int = 3,
    ) -> Entry:
        """Send one thing once and return its entry, state "sent".

        `create` raises KaggleError if the answer says that nothing was made, UnclearAnswer if it
        does not say, and ValueError for an unreadable answer. After a lost or unreadable answer,
        `find` is called before the next try.
        """
        entry = self.write(entry, state="creating", time=_now())
        failure: Exception = LookupError()
        for attempt in range(tries):
            try:
                ref = create()
            except (KaggleError, UnclearAnswer, *http.FAILURES) as e:
                failure = e
            else:
                return self.write(entry, state="sent", ref=ref)
            is_refusal = isinstance(failure, KaggleError) or (
                isinstance(failure, requests.HTTPError) and not http.is_transient(failure)
            )
            # The second try may be refused because the first one did arrive.
            if attempt or not is_refusal:
                looks = 2 if is_refusal else 3
                if arrived := look_up(find, entry, looks=looks, poll_s=poll_s):
                    return self.write(arrived)
            if is_refusal or isinstance(failure, UnclearAnswer):
                self.write(entry, state="creating" if attempt else "refused")
                break
            pause = max(http.retry_after_s(failure) or 0.0, min(poll_s, MAX_LOOK_S) * attempt)
            if pause > api.limits_of(about.client).deadline_s:
                break  # the user decides about a longer Retry-After
            if attempt < tries - 1:
                http.announce_wait(pause, failure)
                time.sleep(pause)
        with about.explained(doing):
            raise failure.error if isinstance(failure, UnclearAnswer) else failure

    @contextmanager
    def _writable(self) -> Iterator[None]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            yield
        except Timeout:  # is an OSError too
            raise
        except OSError as e:
            raise KaggleError(
                f"Cannot write the journal {self.path}: {e.strerror}. Give a `journal` that can be "
                "written: without it, a lost answer looks like a request that never arrived."
            ) from e


def journal_of(journal: str | Path | Journal | None) -> Journal:
    """Return the journal for a `journal` argument: a Journal, its path, or None for the default."""
    return journal if isinstance(journal, Journal) else Journal(journal)


def look_up(
    find: Callable[[Entry], Entry | None], entry: Entry, *, poll_s: float, looks: int = 3
) -> Entry | None:
    """Look a few times for what `entry` may have created: Kaggle's lists can lag behind."""
    poll_s = min(poll_s, MAX_LOOK_S)
    return poll_until(
        lambda: find(entry),
        lambda result: result is not None,
        poll_s=2 * poll_s,
        first_pause_s=poll_s,
        max_reads=looks,
        ignore=(),
    )
