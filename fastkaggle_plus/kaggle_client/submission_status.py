"""Submissions as Kaggle lists them: find ours again, and wait for its score."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from ..exceptions import KaggleUnavailable, RateLimited, SubmissionFailed
from ..ui.records import Row, Shown, shown_score
from . import api, errors, http
from .api import Subject
from .outbox import Entry, Journal
from .polling import poll_until

# How many of the newest submissions are searched for ours. By order: clocks and time zones differ.
N_SEARCHED = 200


@dataclass(frozen=True, repr=False)
class Submission(Shown, Row):
    """One submission as Kaggle lists it."""

    ref: int
    slug: str
    status: str  # PENDING | COMPLETE | ERROR
    public_score: float | None
    private_score: float | None  # None until the competition ends
    description: str
    file_name: str
    date: str  # ISO, UTC; "" = sent, not listed yet
    url: str = ""
    error_description: str = ""
    size: int = 0  # bytes, if Kaggle lists them
    sent: bool = False  # by the call that returned this; False = found again, or listed
    team: str = ""

    def as_row(self) -> dict[str, object]:
        """Return number, date, file, status, scores and description."""
        return {
            "ref": self.ref,
            "date": self.date,
            "file": self.file_name,
            "status": self.status,
            "public": shown_score(self.public_score, 5),
            "private": shown_score(self.private_score, 5),
            "description": self.description,
        }

    def _facts(self) -> dict[str, object]:
        sent = "by this call" if self.sent else "before"
        error = {"error": self.error_description}
        return {"competition": self.slug, **self.as_row(), **error, "sent": sent}

    @property
    def message(self) -> str:
        """One line about it; fastkaggle's answer has Kaggle's message here."""
        score = "" if self.public_score is None else f", public score {self.public_score:g}"
        return f"Submission {self.ref} to {self.slug}: {self.status.lower()}{score}"


def list_submissions(about: Subject) -> Iterator[Submission]:
    """Yield the team's submissions to a competition, newest first."""
    for answer in about.pages("list_submissions", doing="list your submissions to"):
        yield from (_record(s, about.name) for s in answer.submissions or [])


def find_entry(about: Subject, book: Journal, entry: Entry) -> Entry | None:
    """Return `entry` with Kaggle's number and date if it is listed."""
    listed = _find(about, book, entry)
    return replace(entry, state="sent", ref=listed.ref, date=listed.date) if listed else None


def _find(about: Subject, book: Journal, entry: Entry) -> Submission | None:
    """Return the listed submission that `entry` created.

    By its number if that is known, else a new one of the same file name and description.
    """
    # With the date: a new sandbox counts from one again.
    others = {
        (e.ref, e.date)
        for e in book.entries()
        if e.id != entry.id and e.origin == entry.origin and e.slug == entry.slug
    }
    for s in islice(list_submissions(about), N_SEARCHED):
        is_taken = s.ref in entry.before or (s.ref, s.date) in others
        if (s.ref == entry.ref if entry.ref else not is_taken) and _is_same(s, entry):
            return s
    return None


def wait_for_score(
    about: Subject,
    book: Journal,
    entry: Entry,
    *,
    sent: bool,
    timeout_s: float,
    poll_s: float,
    why_failed: Callable[[Submission], str],
) -> Submission:
    """Return the submission of `entry` once it is scored, or as it is after `timeout_s`."""
    texts = (entry.description, entry.file_name, entry.date)
    pending = Submission(entry.ref, entry.slug, "PENDING", None, None, *texts, sent=sent)

    def read() -> Submission:
        nonlocal entry
        listed = _find(about, book, entry)
        if listed is None:
            return pending
        if not entry.date:
            entry = book.write(entry, state="sent", ref=listed.ref, date=listed.date)
        return replace(listed, sent=sent)

    try:
        record = poll_until(
            read, lambda s: s.status in ("COMPLETE", "ERROR"), poll_s=poll_s, timeout_s=timeout_s
        )
    except (KaggleUnavailable, RateLimited):
        return pending  # it is sent, even if its score cannot be read now
    if record.status == "ERROR":
        raise SubmissionFailed(why_failed(record), said=record.error_description)
    return record


def is_gone(about: Subject, entry: Entry) -> bool:
    """Say whether a new sandbox has lost a submission. Kaggle never loses one."""
    if not api.is_local(about.client):
        return False
    try:
        answer = replace(about, fields={}).send("get_submission", ref=entry.ref)
    except http.FAILURES as e:
        # "Submission 3 ..." and not "No such endpoint"
        return http.status_of(e) == 404 and errors.service_message(e).startswith("Submission ")
    return not _is_same(_record(answer, entry.slug), entry)


def _record(s: Any, slug: str) -> Submission:
    return Submission(
        s.ref,
        slug,
        s.status.name,
        api.to_float(s.public_score),
        api.to_float(s.private_score),
        s.description,
        s.file_name,
        api.to_iso(s.date),
        s.url,
        s.error_description,
        s.total_bytes,
        team=s.team_name or "",
    )


def _is_same(s: Submission, entry: Entry) -> bool:
    """Say whether a listed submission has the description, file name, size and date of `entry`."""
    return (
        s.description.split() == entry.description.split()
        and s.file_name in ("", entry.file_name)
        and (s.size == entry.size or not s.size or not entry.size)
        and not (entry.date and s.date not in ("", entry.date))
    )
