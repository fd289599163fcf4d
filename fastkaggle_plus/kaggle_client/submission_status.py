"""Find a submission again among those Kaggle lists, whatever became of the answer, and follow it to its score."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import requests

from ..exceptions import KaggleUnavailable, RateLimited, SubmissionFailed
from . import api, errors, retry, send_once
from .outbox import Entry, Journal

LOOKED_AT = (
    200  # newest submissions searched for one of ours: by order, as clocks and time zones differ
)


@dataclass(frozen=True)
class Submission:
    "One submission as Kaggle lists it."

    ref: int
    slug: str
    status: str  # PENDING | COMPLETE | ERROR
    public_score: float | None
    private_score: float | None  # None until the competition ends
    description: str
    file_name: str
    date: str  # ISO, UTC; "" = sent, not listed yet
    url: str
    error_description: str = ""
    size: int = 0  # bytes, where Kaggle tells
    sent: bool = False  # by the call that returned this; False = found again, or listed

    @property
    def message(self) -> str:
        "Say it in one line, where fastkaggle's response had Kaggle's own."
        score = "" if self.public_score is None else f", public score {self.public_score:g}"
        return f"Submission {self.ref} to {self.slug}: {self.status.lower()}{score}"


def listed(client: Any, slug: str) -> Iterator[Submission]:
    "Yield the team's submissions, newest first, page by page."
    from kagglesdk.competitions.types.competition_api_service import ApiListSubmissionsRequest

    request = ApiListSubmissionsRequest()
    request.competition_name = slug
    for s in api.pages(
        client,
        "list_submissions",
        request,
        "submissions",
        slug=slug,
        doing="list your submissions to",
    ):
        yield _record(s, slug)


def refs_before(client: Any, slug: str) -> tuple[int, ...]:
    "Return the numbers of the submissions that are there already, for the journal."
    return tuple(s.ref for s in islice(listed(client, slug), LOOKED_AT))


def look_back(client: Any, book: Journal, new: Entry, poll_s: float) -> Entry | None:
    "Return the journaled attempt that put this very thing on Kaggle, None if none did."
    for old in book.attempts(new.key):
        if old.state not in ("creating", "sent"):
            continue
        if (
            found := send_once.look(
                lambda entry: seen(client, book, entry), old, looks=3, poll_s=poll_s
            )
        ) is not None:
            return book.write(found)
        if old.state == "sent" and not _is_gone(client, old):
            return old  # Kaggle gave it a number; that the list does not show it yet is no reason to send it again
    return None


def seen(client: Any, book: Journal, entry: Entry) -> Entry | None:
    "Return `entry` with Kaggle's number and date if it is listed."
    found = find(client, book, entry)
    return replace(entry, state="sent", ref=found.ref, date=found.date) if found else None


def find(client: Any, book: Journal, entry: Entry) -> Submission | None:
    "Return the listed submission that `entry` created: by number if known, else a new one of the same file name and description."
    # With the date: a sandbox that starts afresh counts from one again.
    others = {
        (e.ref, e.date)
        for e in book.entries()
        if e.id != entry.id and e.origin == entry.origin and e.slug == entry.slug
    }
    for s in islice(listed(client, entry.slug), LOOKED_AT):
        is_taken = s.ref in entry.before or (s.ref, s.date) in others
        if (s.ref == entry.ref if entry.ref else not is_taken) and _is_same(s, entry):
            return s
    return None


def follow(
    client: Any,
    book: Journal,
    entry: Entry,
    *,
    sent: bool,
    timeout_s: float,
    poll_s: float,  # longest pause between looks
    failed: Callable[[Submission], str],  # what to tell of one that was scored as an error
) -> Submission:
    "Return the submission of `entry` once it is scored, or as it is after `timeout_s`. Raises SubmissionFailed."
    ends, pause = time.monotonic() + timeout_s, min(poll_s, 0.5)
    record = Submission(
        entry.ref,
        entry.slug,
        "PENDING",
        None,
        None,
        entry.description,
        entry.file_name,
        entry.date,
        "",
        sent=sent,
    )
    while True:
        # It is sent; not to be asked how it went is no reason to say that it failed.
        with contextlib.suppress(KaggleUnavailable, RateLimited):
            if (found := find(client, book, entry)) is not None:
                record = replace(found, sent=sent)
                entry = (
                    entry
                    if entry.date
                    else book.write(replace(entry, state="sent", ref=found.ref, date=found.date))
                )
        if record.status == "ERROR":
            raise SubmissionFailed(failed(record), said=record.error_description)
        left = ends - time.monotonic()
        if record.status == "COMPLETE" or left <= 0:
            return record
        time.sleep(min(pause, left))
        pause = min(poll_s, pause * 1.5)


def _is_gone(client: Any, entry: Entry) -> bool:
    "Say whether a sandbox has forgotten a submission, as one that starts afresh has. Kaggle itself forgets none."
    from kagglesdk.competitions.types.competition_api_service import ApiGetSubmissionRequest

    if not api.is_local(client):
        return False
    request = ApiGetSubmissionRequest()
    request.ref = entry.ref
    try:
        found = api.send(client, "get_submission", request)
    except requests.HTTPError as e:
        return retry.status_of(e) == 404 and errors.said(e).startswith(
            "Submission "
        )  # and not: no such endpoint
    except (requests.RequestException, ValueError, TypeError, KeyError):
        return False
    return not _is_same(_record(found, entry.slug), entry)


def _record(s: Any, slug: str) -> Submission:
    return Submission(
        s.ref,
        slug,
        s.status.name,
        _number(s.public_score),
        _number(s.private_score),
        s.description,
        s.file_name,
        _iso(s.date),
        s.url,
        s.error_description,
        s.total_bytes,
    )


def _is_same(s: Submission, entry: Entry) -> bool:
    "Say whether what is listed looks like what `entry` sent: its words, its file's name and size, and its date once that was seen."
    same_words = s.description.split() == entry.description.split()
    same_file = s.file_name in ("", entry.file_name) and (
        s.size == entry.size or not s.size or not entry.size
    )
    return same_words and same_file and not (entry.date and s.date not in ("", entry.date))


def _iso(date: Any) -> str:
    "Return a service's date, which is UTC without saying so, as text that says so."
    moment: datetime | None = date and (
        date.astimezone(UTC) if date.tzinfo else date.replace(tzinfo=UTC)
    )
    return moment.isoformat() if moment else ""


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None
