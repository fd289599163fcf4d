"""Submit a notebook version to a code competition, once, and read back what its re-run on the hidden test set scored."""

from __future__ import annotations

import contextlib
import hashlib
import time
import uuid
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..exceptions import KaggleUnavailable, RateLimited, SubmissionFailed
from . import kernel_causes, kernel_service, kernels, once, service, session
from .journal import Entry, Journal
from .kernel_service import Kernel
from .submitting import CLOCK_SLACK, Submission, submissions

if TYPE_CHECKING:
    from kaggle.api.kaggle_api_extended import KaggleApi

    from .pushing import KernelVersion


def submit_code(
    handle: str | KernelVersion,    # owner/name, or what push_notebook returned
    version: int | None = None,     # a version that has ended well; None = that of the record, or the current one
    message: str = "",              # the description; part of what tells submissions apart
    *,
    competition: str,               # its slug, or a Competition
    file_name: str = "submission.csv",  # what the notebook writes
    client: KaggleApi | None = None,
    wait: bool = True,              # for the score
    timeout_s: float = 600.0,       # then the pending submission is returned; another call waits on
    poll_s: float = 15.0,           # longest pause between looks
    journal: str | Path | Journal | None = None,    # where attempts are written down; None = under environment.home()
    again: bool = False,            # send even if this version was sent with this description before
) -> Submission:
    "Submit a notebook version to a code competition and return what it scored; sent once, as by `submit`."
    client = client or session.import_kaggle()
    slug, kernel = service.slug_of(competition), kernels.pinned(client, kernel_service.kernel_of(handle, version, client))
    book = journal if isinstance(journal, Journal) else Journal(journal)
    new = _entry(client, slug, kernel, (message or "").strip(), file_name)

    def find(entry: Entry) -> Entry | None:
        found = _find(client, book, entry)
        return replace(entry, state="sent", ref=found.ref, date=found.date) if found else None

    with book.lock(timeout_s):
        old = None if again else book.last(new.key)
        if old is not None and old.state in ("creating", "sent"):
            old = once.look(find, old, looks=1 if old.state == "sent" else 3, poll_s=poll_s)
        else:
            old = None
        entry = book.write(old) if old else _send(client, book, new, kernel, find, poll_s)
    return _follow(client, book, entry, kernel, sent=old is None, timeout_s=timeout_s if wait else 0.0, poll_s=poll_s)


def _entry(client: Any, slug: str, kernel: Kernel, message: str, file_name: str) -> Entry:
    what = f"{kernel.handle}/{kernel.version}/{file_name}"
    return Entry(uuid.uuid4().hex, service.origin(client), client.config_values.get("username") or "", slug,
                 hashlib.sha256(what.encode()).hexdigest(), 0, file_name, message, datetime.now(UTC).isoformat())


def _send(client: Any, book: Journal, entry: Entry, kernel: Kernel, find: Any, poll_s: float) -> Entry:
    from kagglesdk.competitions.types.competition_api_service import ApiCreateCodeSubmissionRequest

    request = ApiCreateCodeSubmissionRequest()
    request.competition_name, request.file_name = entry.slug, entry.file_name
    request.kernel_owner, request.kernel_slug = kernel.owner, kernel.slug
    if kernel.version:
        request.kernel_version = kernel.version
    if entry.description:
        request.submission_description = entry.description

    def create() -> Any:
        answer = service.send(client, "create_code_submission", request)
        if not answer.ref:
            raise ValueError(f"an answer without a number: {answer.message}")
        return answer

    since = (datetime.now(UTC) - 2 * CLOCK_SLACK).isoformat()
    before = tuple(s.ref for s in submissions(entry.slug, client=client) if not s.date or s.date >= since)
    entry, answer = once.send_once(book, replace(entry, before=before), create=create, find=find, poll_s=min(poll_s, 5.0),
                                   deadline_s=getattr(client, "deadline_s", 300.0),
                                   explained=lambda: service.explained(client, slug=entry.slug, doing="submit to",
                                                                       causes=kernel_causes.CODE_CAUSES))
    return book.write(replace(entry, state="sent", ref=answer.ref)) if answer else entry


def _find(client: Any, book: Journal, entry: Entry) -> Submission | None:
    "Return the listed submission that `entry` created: by number if known, else a new one of the same file name and description."
    others = {(e.ref, e.date) for e in book.entries() if e.id != entry.id and e.origin == entry.origin and e.slug == entry.slug}
    since = (datetime.fromisoformat(entry.time) - CLOCK_SLACK).isoformat()
    for s in submissions(entry.slug, client=client):
        if s.date and s.date < since:
            return None
        is_like = s.description.split() == entry.description.split() and s.file_name in ("", entry.file_name)
        if not is_like or (entry.date and s.date and s.date != entry.date):
            continue
        if s.ref == entry.ref if entry.ref else s.ref not in entry.before and (s.ref, s.date) not in others:
            return s
    return None


def _follow(client: Any, book: Journal, entry: Entry, kernel: Kernel, *, sent: bool, timeout_s: float, poll_s: float) -> Submission:
    "Return the submission of `entry` once it is scored, or as it is after `timeout_s`."
    ends, pause = time.monotonic() + timeout_s, min(poll_s, 1.0)
    record = Submission(entry.ref, entry.slug, "PENDING", None, None, entry.description, entry.file_name, entry.date, "", sent=sent)
    while True:
        # It is sent; not to be asked how it went is no reason to say that it failed.
        with contextlib.suppress(KaggleUnavailable, RateLimited):
            if found := _find(client, book, entry):
                record = replace(found, sent=sent)
                entry = entry if entry.date else book.write(replace(entry, date=found.date))
        if record.status == "ERROR":
            why = record.error_description.rstrip(".") or "no reason given"
            raise SubmissionFailed(f"Kaggle scored {kernel} in {record.slug} as an error: {why}. Its re-run on the hidden test set failed, or "
                                   f"wrote no sound {entry.file_name}. Compare it with the sample submission, and do not rely on the visible "
                                   "test set's rows, size or the internet. An unchanged version is only sent again with again=True.",
                                   said=record.error_description)
        left = ends - time.monotonic()
        if record.status == "COMPLETE" or left <= 0:
            return record
        time.sleep(min(pause, left))
        pause = min(poll_s, pause * 1.5)
