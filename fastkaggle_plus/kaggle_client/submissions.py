"""Submit a file or a notebook version once, and return its score."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from .. import files
from ..exceptions import (
    BadCredentials,
    KaggleError,
    NoCredentials,
    NotFound,
    RulesNotAccepted,
    SubmissionError,
    UploadFailed,
)
from ..ui.records import Records
from . import api, live_writes, outbox, session, uploads
from .api import KaggleApi, Subject
from .outbox import Entry, Journal, UnclearAnswer
from .services import about_competition, slug_of
from .submission_status import (
    N_SEARCHED,
    Submission,
    find_entry,
    is_gone,
    list_submissions,
    wait_for_score,
)

MAX_LEFT_S = 15.0  # longest wait for the number of submissions left


def submit(
    file: str | Path | Any,  # a csv, or an object with a .path to one
    message: str,  # the description; part of what distinguishes submissions
    competition: str,  # its slug, or a Competition
    *,
    client: KaggleApi | None = None,
    wait: bool = True,  # for the score
    timeout_s: float = 600.0,  # then the pending submission is returned; call again to wait longer
    poll_s: float = 5.0,  # longest pause between polls
    journal: str | Path | Journal | None = None,  # of attempts; None = in environment.home()
    again: bool = False,  # send even if the same file with this description was sent before
    live: bool = False,  # send it to the real Kaggle even if a rehearsal wrote it
    announce: bool = True,  # print account and target before it is sent to the real Kaggle
    sha256: str = "",  # refuse the file if its hash is another one: it changed since it was checked
) -> Submission:
    """Submit `file` and return its score.

    Outside a rehearsal this is a real submission. A file that a rehearsal wrote is refused there,
    unless `live` says that it is right. The attempt is journaled first. After a lost answer, also
    of a process that was killed, Kaggle's list is searched before anything is sent again. A file
    that is there already, with this description, is returned with `sent=False`.
    """
    slug = slug_of(competition)
    try:
        path = Path(getattr(file, "path", file))
    except TypeError as e:
        raise SubmissionError(f"submit needs the path of a csv, got {file!r}.") from e
    client = client or session.import_kaggle()
    new = file_entry(path, message, slug, client=client)
    _refuse_changed(path, new.sha256, sha256 or new.sha256)
    if api.is_local(client):
        note = f"a file that was submitted in a rehearsal of {slug}"
        live_writes.remember(path.parent, [path.name], note)
    elif not live:
        live_writes.refuse_rehearsed(path)
    about = about_competition(client, slug)

    def upload() -> dict[str, Any]:
        token = uploads.upload_submission(about, path)
        _refuse_changed(path, files.file_hash(path), new.sha256)  # it was read during the upload
        return {"blob_file_tokens": token}

    return submit_once(
        about,
        new,
        "create_submission",
        prepare=upload,
        journal=journal,
        again=again,
        timeout_s=timeout_s,
        wait=wait,
        poll_s=poll_s,
        why_failed=_why_file_failed,
        announce=announce,
    )


def file_entry(path: Path, message: str, slug: str, *, client: KaggleApi) -> Entry:
    """Return the journal entry of a file to submit. Raises SubmissionError if there is none."""
    if not path.is_file():
        raise SubmissionError(
            f"There is no file {str(path)!r} to submit. Write it first, for example with "
            "write_submission(...)."
        )
    size, text = path.stat().st_size, (message or "").strip()
    if not size:
        raise SubmissionError(f"{path} is empty. Write the predictions into it before submitting.")
    origin, user = api.origin(client), api.user_of(client)
    return Entry(origin, user, slug, files.file_hash(path), size, path.name, text)


def submissions_left(competition: str, *, client: KaggleApi) -> str:
    """Return how many submissions are left, "unknown" and why if Kaggle does not say.

    Raises NotFound, RulesNotAccepted and errors about credentials.
    """
    hurried = copy.copy(client)  # this number is only for information
    hurried.deadline_s = min(api.limits_of(client).deadline_s, MAX_LEFT_S)
    about = about_competition(hurried, slug_of(competition))
    try:
        found = about.call("get_submission_limits", doing="read the submission limit of")
    except (NotFound, RulesNotAccepted, NoCredentials, BadCredentials):
        raise
    except KaggleError as e:
        return f"unknown: {str(e).partition('. ')[0].rstrip('.')}"
    if not (found.num_allowed_now or found.num_today or found.num_total):
        return "unknown: Kaggle's answer has no number"
    return f"{found.num_allowed_now} submissions; {found.num_today} sent today"


def competition_submit(file_name: str | Path, message: str, competition: str) -> Submission:
    """Submit `file_name` to `competition` without waiting for its score."""
    return submit(file_name, message, competition, wait=False)


def submissions(
    competition: str,  # its slug, or a Competition
    *,
    client: KaggleApi | None = None,
) -> Records[Submission]:
    """Return your team's submissions, newest first, all pages of them."""
    client = client or session.import_kaggle()
    return Records(list_submissions(about_competition(client, slug_of(competition))))


def submit_once(
    about: Subject,  # the competition
    new: Entry,
    method: str,  # that creates the submission
    *,
    prepare: Callable[[], dict[str, Any]],  # uploads what is needed; returns the request's fields
    journal: str | Path | Journal | None,
    again: bool,
    timeout_s: float,
    wait: bool,
    poll_s: float,
    why_failed: Callable[[Submission], str],  # the message about one that was scored as an error
    announce: bool,
) -> Submission:
    """Send a file or a notebook version once and return the submission. Raises SubmissionFailed."""
    book = outbox.journal_of(journal)
    find = partial(find_entry, about, book)

    def create() -> int:
        answer = about.send(method, **request)
        if not answer.ref and not answer.message:
            raise ValueError("an answer without a number")
        if not answer.ref:
            raise UnclearAnswer(
                UploadFailed(
                    f"Kaggle did not take {new.file_name} for {new.slug}: {answer.message}. "
                    "Nothing was submitted; call submit again.",
                    said=answer.message,
                )
            )
        return int(answer.ref)

    with book.lock(timeout_s):
        old = None if again else _earlier(about, book, new, find=find, poll_s=poll_s)
        if old is None:
            if announce:
                live_writes.announce(about.client, f"submit {new.file_name} to {new.slug}")
                if warning := other_message(about, book, new):
                    warnings.warn(warning, stacklevel=3)
            book.write(new)
            before = tuple(s.ref for s in islice(list_submissions(about), N_SEARCHED))
            request = prepare()
            if new.description:
                request["submission_description"] = new.description
            entry = book.send(
                about,
                replace(new, before=before),
                doing="submit to",
                create=create,
                find=find,
                poll_s=poll_s,
            )
    return wait_for_score(
        about,
        book,
        old or entry,
        sent=old is None,
        timeout_s=timeout_s if wait else 0.0,
        poll_s=poll_s,
        why_failed=why_failed,
    )


def _earlier(
    about: Subject,
    book: Journal,
    new: Entry,
    *,
    find: Callable[[Entry], Entry | None],
    poll_s: float,
) -> Entry | None:
    """Return the journaled attempt that sent the same before, None without one."""
    for old in book.attempts(new):
        if found := outbox.look_up(find, old, poll_s=poll_s):
            return book.write(found)
        # Kaggle gave it a number; the list may not show it yet.
        if old.state == "sent" and not is_gone(about, old):
            return old
    return None


def other_message(about: Subject, book: Journal, new: Entry) -> str:
    """Return a warning if the same bytes were submitted with another message, else ""."""
    other = book.with_other_text(new)
    if other is None or is_gone(about, other):
        return ""
    number = f" as number {other.ref}" if other.ref else ""
    return (
        f"The same bytes as {new.file_name} were submitted to {new.slug} before{number}, with the "
        f"message {other.description!r}."
    )


def _refuse_changed(path: Path, sha256: str, expected: str) -> None:
    if sha256 != expected:
        raise SubmissionError(
            f"{path} changed since the plan: expected sha256 {expected[:12]}, got {sha256[:12]}. "
            "Nothing was submitted. Wait until no program writes the file, then submit it again."
        )


def _why_file_failed(record: Submission) -> str:
    why = record.error_description.rstrip(".") or "no reason given"
    return (
        f"Kaggle scored submission {record.ref} ({record.file_name}) to {record.slug} as an error: "
        f"{why}. Compare the file with the sample "
        "submission: column names, ids, number of rows, no empty cells. An unchanged file is only "
        "sent again if you ask for it (--again, again=True)."
    )
