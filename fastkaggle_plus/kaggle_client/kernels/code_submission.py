"""Submit a notebook version to a code competition once, and wait for the score of its re-run."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

from .. import api, session
from ..api import KaggleApi
from ..outbox import Entry, Journal
from ..services import CODE_SUBMISSIONS, about_competition, slug_of
from ..submissions import Submission, submit_once
from . import failure_hints, lookup
from .kernel import Kernel, KernelVersion, kernel_of


def submit_code(
    handle: str | KernelVersion,  # owner/name, or the result of push_notebook
    version: int | None = None,  # a completed one; None = that of the record, or the current one
    message: str = "",  # the description; part of what distinguishes submissions
    *,
    competition: str,  # its slug, or a Competition
    file_name: str = "submission.csv",  # that the notebook writes
    client: KaggleApi | None = None,
    wait: bool = True,  # for the score
    timeout_s: float = 600.0,  # then the pending submission is returned; call again to wait longer
    poll_s: float = 15.0,  # longest pause between polls
    journal: str | Path | Journal | None = None,  # of attempts; None = in environment.home()
    again: bool = False,  # send even if this version was sent with this description before
    announce: bool = True,  # print account and target before it is sent to the real Kaggle
) -> Submission:
    """Submit a notebook version to a code competition once and return its score."""
    client, slug = client or session.import_kaggle(), slug_of(competition)
    kernel = lookup.with_version(client, kernel_of(handle, version, client))
    new = code_entry(kernel, message, slug, file_name=file_name, client=client)
    request: dict[str, Any] = {"file_name": file_name}
    request |= {"kernel_owner": kernel.owner, "kernel_slug": kernel.slug}
    if kernel.version:
        request["kernel_version"] = kernel.version

    def why_failed(record: Submission) -> str:
        why = record.error_description.rstrip(".") or "no reason given"
        hint = failure_hints.after_scoring(why, file_name)
        return (
            f"Kaggle scored {kernel} in {slug} as an error: {why}. {hint} An unchanged version is "
            "only sent again if you ask for it (--again, again=True)."
        )

    return submit_once(
        replace(about_competition(client, slug), service=CODE_SUBMISSIONS),
        new,
        "create_code_submission",
        prepare=lambda: request,
        journal=journal,
        again=again,
        timeout_s=timeout_s,
        wait=wait,
        poll_s=poll_s,
        why_failed=why_failed,
        announce=announce,
    )


def code_entry(
    kernel: Kernel, message: str, slug: str, *, file_name: str, client: KaggleApi
) -> Entry:
    """Return the journal entry of a notebook version to submit."""
    what = f"{kernel.handle}/{kernel.version}/{file_name}"
    sha, text = hashlib.sha256(what.encode()).hexdigest(), (message or "").strip()
    return Entry(api.origin(client), api.user_of(client), slug, sha, 0, file_name, text)
