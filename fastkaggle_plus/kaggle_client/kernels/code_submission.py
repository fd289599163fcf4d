"""Submit a notebook version to a code competition, once, and read back what its re-run on the hidden test set scored."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import api, send_once, session, submission_status
from ..outbox import Entry, Journal
from ..submission_status import Submission
from . import error_rules, failure_hints, lookup, status
from .lookup import Kernel

if TYPE_CHECKING:
    from kaggle.api.kaggle_api_extended import KaggleApi

    from .push import KernelVersion


def submit_code(
    handle: str | KernelVersion,  # owner/name, or what push_notebook returned
    version: int
    | None = None,  # a version that has ended well; None = that of the record, or the current one
    message: str = "",  # the description; part of what tells submissions apart
    *,
    competition: str,  # its slug, or a Competition
    file_name: str = "submission.csv",  # what the notebook writes
    client: KaggleApi | None = None,
    wait: bool = True,  # for the score
    timeout_s: float = 600.0,  # then the pending submission is returned; another call waits on
    poll_s: float = 15.0,  # longest pause between looks
    journal: str
    | Path
    | Journal
    | None = None,  # where attempts are written down; None = under environment.home()
    again: bool = False,  # send even if this version was sent with this description before
) -> Submission:
    "Submit a notebook version to a code competition and return what it scored; sent once, as by `submit`."
    client = client or session.import_kaggle()
    slug, kernel = (
        api.slug_of(competition),
        status.pinned(client, lookup.kernel_of(handle, version, client)),
    )
    book = journal if isinstance(journal, Journal) else Journal(journal)
    new = _entry(client, slug, kernel, (message or "").strip(), file_name)

    def failed(record: Submission) -> str:
        why = record.error_description.rstrip(".") or "no reason given"
        return (
            f"Kaggle scored {kernel} in {slug} as an error: {why}. {failure_hints.after_scoring(why, file_name)} An unchanged version is only sent again "
            "if asked to (--again, again=True)."
        )

    with book.lock(timeout_s):
        old = None if again else submission_status.look_back(client, book, new, min(poll_s, 5.0))
        entry = old or _send(client, book, new, kernel, poll_s)
    return submission_status.follow(
        client,
        book,
        entry,
        sent=old is None,
        timeout_s=timeout_s if wait else 0.0,
        poll_s=poll_s,
        failed=failed,
    )


def _entry(client: Any, slug: str, kernel: Kernel, message: str, file_name: str) -> Entry:
    what = f"{kernel.handle}/{kernel.version}/{file_name}"
    return Entry(
        uuid.uuid4().hex,
        api.origin(client),
        client.config_values.get("username") or "",
        slug,
        hashlib.sha256(what.encode()).hexdigest(),
        0,
        file_name,
        message,
        datetime.now(UTC).isoformat(),
    )


def _send(client: Any, book: Journal, entry: Entry, kernel: Kernel, poll_s: float) -> Entry:
    from kagglesdk.competitions.types.competition_api_service import ApiCreateCodeSubmissionRequest

    request = ApiCreateCodeSubmissionRequest()
    request.competition_name, request.file_name = entry.slug, entry.file_name
    request.kernel_owner, request.kernel_slug = kernel.owner, kernel.slug
    if kernel.version:
        request.kernel_version = kernel.version
    if entry.description:
        request.submission_description = entry.description

    def create() -> Any:
        answer = api.send(client, "create_code_submission", request)
        if not answer.ref:
            raise ValueError(f"an answer without a number: {answer.message}")
        return answer

    entry = replace(entry, before=submission_status.refs_before(client, entry.slug))
    entry, answer = send_once.send_once(
        book,
        entry,
        create=create,
        find=partial(submission_status.seen, client, book),
        poll_s=min(poll_s, 5.0),
        deadline_s=getattr(client, "deadline_s", 300.0),
        explained=lambda: api.explained(
            client, slug=entry.slug, doing="submit to", causes=error_rules.CODE_CAUSES
        ),
    )
    return book.write(replace(entry, state="sent", ref=answer.ref)) if answer else entry
