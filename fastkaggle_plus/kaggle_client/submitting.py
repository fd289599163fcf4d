"""Submit a file once, whatever happens to the answer, and read back what it scored."""

from __future__ import annotations

import contextlib
import hashlib
import time
import uuid
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests

from ..exceptions import KaggleError, KaggleUnavailable, RateLimited, SubmissionError, SubmissionFailed, UploadFailed
from . import messages, retry, service, session, uploads
from .journal import Entry, Journal

if TYPE_CHECKING:
    from kaggle.api.kaggle_api_extended import KaggleApi

LOOKED_AT = 200   # newest submissions searched for one of ours: by order, as clocks and time zones differ


@dataclass(frozen=True)
class Submission:
    "One submission as Kaggle lists it."
    ref: int
    slug: str
    status: str     # PENDING | COMPLETE | ERROR
    public_score: float | None
    private_score: float | None  # None until the competition ends
    description: str
    file_name: str
    date: str       # ISO, UTC; "" = sent, not listed yet
    url: str
    error_description: str = ""
    sent: bool = False  # by the call that returned this; False = found again, or listed

    @property
    def message(self) -> str:
        "Say it in one line, where fastkaggle's response had Kaggle's own."
        score = "" if self.public_score is None else f", public score {self.public_score:g}"
        return f"Submission {self.ref} to {self.slug}: {self.status.lower()}{score}"


def submit(
    file: str | Path | Any,  # a csv, or what has a .path to one
    message: str,            # the description; part of what tells submissions apart
    competition: str,        # its slug, or a Competition
    *,
    client: KaggleApi | None = None,
    wait: bool = True,          # for the score
    timeout_s: float = 600.0,   # then the pending submission is returned; another call waits on
    poll_s: float = 5.0,        # longest pause between looks
    journal: str | Path | Journal | None = None,  # where attempts are written down; None = under environment.home()
    again: bool = False,        # send even if the same file with the same description was sent before
) -> Submission:
    """Submit `file` and return what it scored.

    The attempt is journaled first. If an answer got lost, here or in a process that was killed, Kaggle's list is searched before
    anything is sent again; a file that is there already, with this description, is returned with `sent=False`.
    """
    slug = service.slug_of(competition)
    try:
        path = Path(getattr(file, "path", file))
    except TypeError as e:
        raise SubmissionError(f"submit takes the path of a csv, and {file!r} came.") from e
    client = client or session.import_kaggle()
    book = journal if isinstance(journal, Journal) else Journal(journal)
    new = _entry(path, message or "", slug, client)
    with book.lock(timeout_s):
        old = None if again else _look_back(client, book, new, poll_s)
        entry = old or _send(client, book, new, path, poll_s)
    return _follow(client, book, entry, sent=old is None, timeout_s=timeout_s if wait else 0.0, poll_s=poll_s)


def competition_submit(
    file_name: str | Path,
    message: str,
    competition: str,
) -> Submission:
    "Submit `file_name` to `competition`, returning the submission without waiting for its score."
    return submit(file_name, message, competition, wait=False)


def submissions(
    competition: str,  # its slug, or a Competition
    *,
    client: KaggleApi | None = None,
) -> list[Submission]:
    "Return your team's submissions, newest first, every page of them."
    slug = service.slug_of(competition)
    return [_record(s, slug) for s in _listed(client or session.import_kaggle(), slug)]


def _entry(path: Path, description: str, slug: str, client: Any) -> Entry:
    if not path.is_file():
        raise SubmissionError(f"There is no file {str(path)!r} to submit. Write it first, for example with write_submission(...).")
    if not path.stat().st_size:
        raise SubmissionError(f"{path} is empty. Write the predictions into it before submitting.")
    with open(path, "rb") as f:
        sha256 = hashlib.file_digest(f, "sha256").hexdigest()
    return Entry(uuid.uuid4().hex, service.origin(client), client.config_values.get("username") or "", slug, sha256, path.stat().st_size,
                 path.name, description.strip(), _now().isoformat())


def _look_back(client: Any, book: Journal, new: Entry, poll_s: float) -> Entry | None:
    "Return the journaled attempt that put this very file on Kaggle, None if none did."
    for old in book.attempts(new.key):
        if old.state not in ("creating", "sent"):
            continue
        if (found := _look(client, book, old, looks=3, poll_s=poll_s)) is not None:
            return book.write(_seen(old, found))
        if old.state == "sent" and not _is_gone(client, old):
            return old   # Kaggle gave it a number; that the list does not show it yet is no reason to send it again
    return None


def _is_gone(client: Any, entry: Entry) -> bool:
    "Say whether a sandbox has forgotten a submission, as one that starts afresh has. Kaggle itself forgets none."
    from kagglesdk.competitions.types.competition_api_service import ApiGetSubmissionRequest

    if not service.is_local(client):
        return False
    request = ApiGetSubmissionRequest()
    request.ref = entry.ref
    try:
        found = service.send(client, "get_submission", request)
    except requests.HTTPError as e:
        return retry.status_of(e) == 404 and messages.said(e).startswith("Submission ")   # and not: no such endpoint
    except (requests.RequestException, ValueError, TypeError, KeyError):
        return False
    return not _is_same(found, entry)


def _send(client: Any, book: Journal, entry: Entry, path: Path, poll_s: float, tries: int = 3) -> Entry:
    "Upload and create one submission; return its journal entry."
    from kagglesdk.competitions.types.competition_api_service import ApiCreateSubmissionRequest

    book.write(entry)
    before = tuple(s.ref for s in islice(_listed(client, entry.slug), LOOKED_AT))
    request = ApiCreateSubmissionRequest()
    request.competition_name, request.blob_file_tokens = entry.slug, uploads.upload(client, path, slug=entry.slug)
    if entry.description:
        request.submission_description = entry.description
    entry = book.write(replace(entry, state="creating", before=before, time=_now().isoformat()))
    for nth in range(tries):
        try:
            with service.explained(client, slug=entry.slug, doing="submit to"):
                answer, lost = _create(client, request)
        except KaggleError:
            # A token that was sent before is refused if the first request did arrive.
            if nth and (found := _look(client, book, entry, looks=2, poll_s=poll_s)):
                return book.write(_seen(entry, found))
            if not nth:
                book.write(replace(entry, state="refused"))
            raise
        if answer and answer.ref:
            return book.write(replace(entry, state="sent", ref=answer.ref))
        if found := _look(client, book, entry, looks=3, poll_s=poll_s):
            return book.write(_seen(entry, found))
        if answer:
            book.write(replace(entry, state="refused"))
            raise UploadFailed(f"Kaggle did not take {path.name} for {entry.slug}: {answer.message or 'it gave no reason'}. "
                               "Nothing was submitted; call submit again.", said=answer.message)
        pause = retry.retry_after_s(lost) or 0.0
        if pause > getattr(client, "deadline_s", 300.0):
            break
        if nth < tries - 1:
            time.sleep(pause)
    with service.explained(client, slug=entry.slug, doing="submit to"):
        raise lost


def _create(client: Any, request: Any) -> tuple[Any, Exception]:
    "Return the answer, or None and what came instead of it: then nobody knows whether the submission was created."
    try:
        return service.send(client, "create_submission", request), LookupError()
    except (requests.RequestException, ValueError, TypeError, KeyError) as e:
        if isinstance(e, requests.HTTPError) and not retry.is_transient(e):
            raise
        return None, e


def _follow(client: Any, book: Journal, entry: Entry, *, sent: bool, timeout_s: float, poll_s: float) -> Submission:
    "Return the submission of `entry` once it is scored, or as it is after `timeout_s`."
    ends, pause = time.monotonic() + timeout_s, min(poll_s, 0.5)
    record = Submission(entry.ref, entry.slug, "PENDING", None, None, entry.description, entry.file_name, entry.date, "", sent=sent)
    while True:
        # It is sent; not to be asked how it went is no reason to say that it failed.
        with contextlib.suppress(KaggleUnavailable, RateLimited):
            found = _find(client, book, entry)
            if found is not None:
                record = replace(_record(found, entry.slug), sent=sent)
            if found is not None and not entry.date:
                entry = book.write(_seen(entry, found))
        if record.status == "ERROR":
            raise SubmissionFailed(f"Kaggle scored submission {record.ref} ({record.file_name}) to {record.slug} as an error: "
                                   f"{record.error_description or 'no reason given'}. Compare the file with the sample submission: column "
                                   "names, ids, number of rows, no empty cells. An unchanged file is only sent again with again=True.",
                                   said=record.error_description)
        left = ends - time.monotonic()
        if record.status == "COMPLETE" or left <= 0:
            return record
        time.sleep(min(pause, left))
        pause = min(poll_s, pause * 1.5)


def _look(client: Any, book: Journal, entry: Entry, *, looks: int, poll_s: float) -> Any:
    "Search for what `entry` may have created, a few times: the list can lag behind."
    for nth in range(looks):
        if nth:
            time.sleep(poll_s * nth)
        if (found := _find(client, book, entry)) is not None:
            return found
    return None


def _find(client: Any, book: Journal, entry: Entry) -> Any:
    "Return the listed submission that `entry` created: by number if known, else a new one of the same file name, size and description."
    # With the date: a sandbox that starts afresh counts from one again.
    others = {(e.ref, e.date) for e in book.entries() if e.id != entry.id and e.origin == entry.origin and e.slug == entry.slug}
    for s in islice(_listed(client, entry.slug), LOOKED_AT):
        date = _date(s)
        is_taken = s.ref in entry.before or (s.ref, date) in others
        if (s.ref == entry.ref if entry.ref else not is_taken) and _is_same(s, entry):
            return s
    return None


def _is_same(s: Any, entry: Entry) -> bool:
    "Say whether what is listed looks like what `entry` sent: its words, size, file name, and date once that was seen."
    same_words = s.description.split() == entry.description.split()
    return same_words and s.total_bytes in (0, entry.size) and s.file_name in ("", entry.file_name) and not (entry.date and _date(s) not in ("", entry.date))


def _date(s: Any) -> str:
    return _moment(s.date).isoformat() if s.date else ""


def _seen(entry: Entry, found: Any) -> Entry:
    return replace(entry, state="sent", ref=found.ref, date=_date(found))


def _listed(client: Any, slug: str) -> Any:
    from kagglesdk.competitions.types.competition_api_service import ApiListSubmissionsRequest

    request = ApiListSubmissionsRequest()
    request.competition_name = slug
    return service.pages(client, "list_submissions", request, "submissions", slug=slug, doing="list your submissions to")


def _record(s: Any, slug: str) -> Submission:
    return Submission(s.ref, slug, s.status.name, _number(s.public_score), _number(s.private_score), s.description, s.file_name,
                      _date(s), s.url, s.error_description)


def _number(text: str) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None


def _now() -> datetime:
    return datetime.now(UTC)


def _moment(date: Any) -> Any:
    "Return a service's date, which is UTC without saying so, as one that says so."
    return date and (date.astimezone(UTC) if date.tzinfo else date.replace(tzinfo=UTC))
