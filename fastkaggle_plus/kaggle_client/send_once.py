"""Send a write once: after a lost answer we look whether it arrived before anything is sent again."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeVar

import requests

from . import retry
from .outbox import Entry, Journal

T = TypeVar("T")


def send_once(
    book: Journal,  # locked by the caller
    entry: Entry,  # what is about to be sent, `before` filled in
    *,
    create: Callable[[], T],  # sends it; ValueError = an answer that says nothing
    find: Callable[
        [Entry], Entry | None
    ],  # the entry with Kaggle's number; None = Kaggle has nothing of it
    explained: Callable[[], AbstractContextManager[None]],  # turns a refusal into our exception
    poll_s: float,  # pause between looks
    deadline_s: float,  # a longer wait that the service asks for is left to the user
    tries: int = 3,
) -> tuple[Entry, T | None]:
    "Return the journaled entry and the answer, or the entry as it was found and None where the answer got lost."
    entry = book.write(replace(entry, state="creating", time=datetime.now(UTC).isoformat()))
    lost: Exception = LookupError()
    for nth in range(tries):
        try:
            return entry, create()
        except (requests.RequestException, ValueError, TypeError, KeyError, AttributeError) as e:
            lost = e
        is_refusal = isinstance(lost, requests.HTTPError) and not retry.is_transient(lost)
        # The second try may be refused because the first one did arrive.
        if (not is_refusal or nth) and (
            found := look(find, entry, looks=2 if is_refusal else 3, poll_s=poll_s)
        ):
            return book.write(found), None
        if is_refusal:
            book.write(replace(entry, state="refused"))
            break
        pause = max(retry.retry_after_s(lost) or 0.0, poll_s * nth)
        if pause > deadline_s:
            break
        if nth < tries - 1:
            time.sleep(pause)
    with explained():
        raise lost


def look(
    find: Callable[[Entry], Entry | None], entry: Entry, *, looks: int, poll_s: float
) -> Entry | None:
    "Look for what `entry` may have created, a few times: lists can lag behind."
    for nth in range(looks):
        if nth:
            time.sleep(poll_s * nth)
        if found := find(entry):
            return found
    return None
