"""Retry for reads: jitter, Retry-After, a deadline. Never for a write whose answer may only have been lost."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

import requests
import stamina

T = TypeVar("T")
LONGEST_WAIT_S = 30 * 86_400.0  # what asks for more means "not today"

# stamina logs each retry; without a handler of the user's own, logging would put a bare word on stderr.
logging.getLogger("stamina").addHandler(logging.NullHandler())


def read(
    call: Callable[[], T],  # does one request; must be safe to repeat
    *,
    tries: int = 7,  # at most
    deadline_s: float = 300.0,  # all tries together
) -> T:
    "Return what `call` returns, trying again while its failure is one that passes; the last failure is raised as it came."
    ends = time.monotonic() + deadline_s

    def worth_a_retry(e: Exception) -> bool | float:
        if not is_transient(e):
            return False
        pause = retry_after_s(e)
        if pause is None:
            return True
        # A wait that outlasts the deadline is for the user to decide.
        return pause if time.monotonic() + pause < ends else False

    for attempt in stamina.retry_context(
        on=worth_a_retry, attempts=tries, timeout=deadline_s, wait_initial=0.5, wait_max=30.0
    ):
        with attempt:
            return call()
    raise RuntimeError("stamina gave no attempt")


def is_transient(e: Exception) -> bool:
    "Say whether the same request may work in a moment: lost connection, timeout, 429, 5xx."
    if isinstance(e, requests.exceptions.SSLError):
        return False
    if isinstance(e, requests.HTTPError):
        status = status_of(e) or 0
        return status in (408, 425, 429) or status >= 500
    return isinstance(
        e, (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)
    )


def status_of(e: Exception) -> int | None:
    "Return the HTTP status of a failure; the code in its body where the body is the one that failed."
    answer = getattr(e, "response", None)
    if answer is None:
        return None
    if answer.status_code >= 400:
        return int(answer.status_code)
    try:
        return int(answer.json()["code"])
    except (ValueError, TypeError, KeyError):
        return int(answer.status_code)


def retry_after_s(e: Exception) -> float | None:
    "Return the seconds the service asks to wait, None if it asks for nothing."
    answer = getattr(e, "response", None)
    asked = answer.headers.get("Retry-After") if answer is not None else None
    if not asked:
        return None
    try:
        return min(max(0.0, float(asked)), LONGEST_WAIT_S)  # a "nan" compares as 0
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(asked) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None
