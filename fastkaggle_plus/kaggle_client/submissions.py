"""Submit a file once, whatever happens to the answer, and read back what it scored."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..exceptions import SubmissionError, UploadFailed
from . import api, send_once, session, submission_status, uploads
from .outbox import Entry, Journal
from .submission_status import Submission

if TYPE_CHECKING:
    from kaggle.api.kaggle_api_extended import KaggleApi


def submit(
    file: str | Path | Any,  # a csv, or what has a .path to one
    message: str,  # the description; part of what tells submissions apart
    competition: str,  # its slug, or a Competition
    *,
    client: KaggleApi | None = None,
    wait: bool = True,  # for the score
    timeout_s: float = 600.0,  # then the pending submission is returned; another call waits on
    poll_s: float = 5.0,  # longest pause between looks
    journal: str
    | Path
    | Journal
    | None = None,  # where attempts are written down; None = under environment.home()
    again: bool = False,  # send even if the same file with the same description was sent before
) -> Submission:
    """Submit `file` and return what it scored.

    The attempt is journaled first. If an answer got lost, here or in a process that was killed, Kaggle's list is searched before
    anything is sent again; a file that is there already, with this description, is returned with `sent=False`.
    """
    slug = api.slug_of(competition)
    try:
        path = Path(getattr(file, "path", file))
    except TypeError as e:
        raise SubmissionError(f"submit takes the path of a csv, and {file!r} came.") from e
    client = client or session.import_kaggle()
    book = journal if isinstance(journal, Journal) else Journal(journal)
    new = _entry(path, message or "", slug, client)
    with book.lock(timeout_s):
        old = None if again else submission_status.look_back(client, book, new, poll_s)
        entry = old or _send(client, book, new, path, poll_s)
    return submission_status.follow(
        client,
        book,
        entry,
        sent=old is None,
        timeout_s=timeout_s if wait else 0.0,
        poll_s=poll_s,
        failed=_scored_as_error,
    )


def competition_submit(file_name: str | Path, message: str, competition: str) -> Submission:
    "Submit `file_name` to `competition`, returning the submission without waiting for its score."
    return submit(file_name, message, competition, wait=False)


def submissions(
    competition: str,  # its slug, or a Competition
    *,
    client: KaggleApi | None = None,
) -> list[Submission]:
    "Return your team's submissions, newest first, every page of them."
    slug = api.slug_of(competition)
    return list(submission_status.listed(client or session.import_kaggle(), slug))


def _entry(path: Path, description: str, slug: str, client: Any) -> Entry:
    if not path.is_file():
        raise SubmissionError(
            f"There is no file {str(path)!r} to submit. Write it first, for example with write_submission(...)."
        )
    if not path.stat().st_size:
        raise SubmissionError(f"{path} is empty. Write the predictions into it before submitting.")
    with open(path, "rb") as f:
        sha256 = hashlib.file_digest(f, "sha256").hexdigest()
    return Entry(
        uuid.uuid4().hex,
        api.origin(client),
        client.config_values.get("username") or "",
        slug,
        sha256,
        path.stat().st_size,
        path.name,
        description.strip(),
        datetime.now(UTC).isoformat(),
    )


def _send(client: Any, book: Journal, entry: Entry, path: Path, poll_s: float) -> Entry:
    "Upload and create one submission; return its journal entry."
    from kagglesdk.competitions.types.competition_api_service import ApiCreateSubmissionRequest

    book.write(entry)
    before = submission_status.refs_before(client, entry.slug)
    request = ApiCreateSubmissionRequest()
    request.competition_name, request.blob_file_tokens = (
        entry.slug,
        uploads.upload(client, path, slug=entry.slug),
    )
    if entry.description:
        request.submission_description = entry.description
    find = partial(submission_status.seen, client, book)
    entry, answer = send_once.send_once(
        book,
        replace(entry, before=before),
        create=lambda: api.send(client, "create_submission", request),
        find=find,
        poll_s=poll_s,
        deadline_s=getattr(client, "deadline_s", 300.0),
        explained=lambda: api.explained(client, slug=entry.slug, doing="submit to"),
    )
    if answer is None:
        return entry
    if answer.ref:
        return book.write(replace(entry, state="sent", ref=answer.ref))
    if found := send_once.look(
        find, entry, looks=3, poll_s=poll_s
    ):  # an answer that says nothing: it may have arrived all the same
        return book.write(found)
    book.write(replace(entry, state="refused"))
    raise UploadFailed(
        f"Kaggle did not take {path.name} for {entry.slug}: {answer.message or 'it gave no reason'}. "
        "Nothing was submitted; call submit again.",
        said=answer.message,
    )


def _scored_as_error(record: Submission) -> str:
    return (
        f"Kaggle scored submission {record.ref} ({record.file_name}) to {record.slug} as an error: "
        f"{record.error_description or 'no reason given'}. Compare the file with the sample submission: column names, ids, number of rows, "
        "no empty cells. An unchanged file is only sent again with again=True."
    )
