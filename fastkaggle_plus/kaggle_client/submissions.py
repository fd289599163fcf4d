"""Submit a file or a notebook version once, and return its score."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import files
from ..exceptions import SubmissionError, UploadFailed
from . import api, outbox, session, uploads
from .api import Service
from .outbox import Entry, Journal, UnclearAnswer
from .services import COMPETITIONS, slug_of
from .submission_status import (
    N_SEARCHED,
    Submission,
    find_entry,
    is_gone,
    list_submissions,
    wait_for_score,
)

if TYPE_CHECKING:
    from kaggle.api.kaggle_api_extended import KaggleApi


def submit(
    file: str | Path | Any,  # a csv, or an object with a .path to one
    message: str,  # the description; part of what distinguishes submissions
    competition: str,  # its slug, or a Competition
    *,
    client: KaggleApi | None = None,
    wait: bool = True,  # for the score
    timeout_s: float = 600.0,  # then the pending submission is returned; call again to wait longer
    poll_s: float = 5.0,  # longest pause between looks
    journal: str | Path | Journal | None = None,  # of attempts; None = in environment.home()
    again: bool = False,  # send even if the same file with this description was sent before
) -> Submission:
    """Submit `file` and return its score.

    The attempt is journaled first. After a lost answer, also of a process that was killed, Kaggle's
    list is searched before anything is sent again. A file that is there already, with this
    description, is returned with `sent=False`.
    """
    slug = slug_of(competition)
    try:
        path = Path(getattr(file, "path", file))
    except TypeError as e:
        raise SubmissionError(f"submit needs the path of a csv, got {file!r}.") from e
    client = client or session.import_kaggle()
    if not path.is_file():
        raise SubmissionError(
            f"There is no file {str(path)!r} to submit. Write it first, for example with "
            "write_submission(...)."
        )
    size = path.stat().st_size
    if not size:
        raise SubmissionError(f"{path} is empty. Write the predictions into it before submitting.")
    new = outbox.new_entry(
        client,
        slug,
        sha256=files.file_hash(path),
        size=size,
        file_name=path.name,
        description=message or "",
    )

    def prepare() -> dict[str, Any]:
        return {"blob_file_tokens": uploads.upload_submission(client, path, slug=slug)}

    return submit_once(
        client,
        new,
        COMPETITIONS,
        "create_submission",
        prepare,
        journal=journal,
        again=again,
        timeout_s=timeout_s,
        wait=wait,
        poll_s=poll_s,
        why_failed=_why_file_failed,
    )


def competition_submit(file_name: str | Path, message: str, competition: str) -> Submission:
    """Submit `file_name` to `competition` without waiting for its score."""
    return submit(file_name, message, competition, wait=False)


def submissions(
    competition: str,  # its slug, or a Competition
    *,
    client: KaggleApi | None = None,
) -> list[Submission]:
    """Return your team's submissions, newest first, all pages of them."""
    return list(list_submissions(client or session.import_kaggle(), slug_of(competition)))


def submit_once(
    client: Any,
    new: Entry,
    service: Service,
    method: str,  # that creates the submission
    prepare: Callable[[], dict[str, Any]],  # uploads what is needed; returns the request's fields
    *,
    journal: str | Path | Journal | None,
    again: bool,
    timeout_s: float,
    wait: bool,
    poll_s: float,
    why_failed: Callable[[Submission], str],  # the message about one that was scored as an error
    look_s: float | None = None,  # longest pause between looks after a lost answer; None = poll_s
) -> Submission:
    """Send a file or a notebook version once and return the submission. Raises SubmissionFailed."""
    book, look_s = outbox.journal_of(journal), look_s or poll_s
    find = partial(find_entry, client, book)

    def create() -> int:
        answer = api.send(client, service, method, request)
        if not answer.ref and not answer.message:
            raise ValueError("an answer without a number")
        if not answer.ref:
            raise UnclearAnswer(
                UploadFailed(
                    f"Kaggle did not take {new.file_name} for {new.slug}: "
                    f"{answer.message}. Nothing was submitted; call submit "
                    "again.",
                    said=answer.message,
                )
            )
        return int(answer.ref)

    with book.lock(timeout_s):
        old = None if again else _earlier(client, book, new, find, look_s)
        if old is None:
            book.write(new)
            before = tuple(s.ref for s in islice(list_submissions(client, new.slug), N_SEARCHED))
            request = {"competition_name": new.slug, **prepare()}
            if new.description:
                request["submission_description"] = new.description
            entry = book.send(
                replace(new, before=before),
                create=create,
                find=find,
                explain=partial(api.explained, client, service, name=new.slug, doing="submit to"),
                poll_s=look_s,
                deadline_s=api.limits_of(client).deadline_s,
            )
    return wait_for_score(
        client,
        book,
        old or entry,
        sent=old is None,
        timeout_s=timeout_s if wait else 0.0,
        poll_s=poll_s,
        why_failed=why_failed,
    )


def _earlier(
    client: Any, book: Journal, new: Entry, find: Callable[[Entry], Entry | None], poll_s: float
) -> Entry | None:
    """Return the journaled attempt that sent the same before, None without one."""
    for old in book.attempts(new):
        if found := outbox.look_up(find, old, poll_s=poll_s):
            return book.write(found)
        # Kaggle gave it a number; the list may not show it yet.
        if old.state == "sent" and not is_gone(client, old):
            return old
    return None


def _why_file_failed(record: Submission) -> str:
    return (
        f"Kaggle scored submission {record.ref} ({record.file_name}) to {record.slug} as an error: "
        f"{record.error_description or 'no reason given'}. Compare the file with the sample "
        "submission: column names, ids, number of rows, no empty cells. An unchanged file is only "
        "sent again with again=True."
    )
