"""HTTP to Kaggle: time limits, retry of reads, and in a rehearsal no request off this machine."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import requests
import stamina
from requests.adapters import HTTPAdapter
from requests.utils import prepend_scheme_if_needed, select_proxy

from ..environment import assert_loopback, is_rehearsal

T = TypeVar("T")
CONNECT_TIMEOUT_S = 15.0
LONGEST_WAIT_S = 30 * 86_400.0  # a longer Retry-After means "not today"
LOST_CONNECTION = (
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.ChunkedEncodingError,
)
SILENT_WAIT_S = 2.0  # shorter waits are not announced
# Everything that requests and kaggle raise for a failed call or an unreadable answer.
FAILURES = (requests.RequestException, ValueError, TypeError, KeyError, AttributeError)

# Without handlers of the user's own, logging prints warnings on stderr: ours should, stamina's not.
_log = logging.getLogger(__name__)
logging.getLogger("stamina").addHandler(logging.NullHandler())


@dataclass(frozen=True)
class Limits:
    """How long a client waits, and how often it tries."""

    timeout_s: float = 60.0  # longest silence of one request
    tries: int = 7  # of one read
    deadline_s: float = 300.0  # all tries of one read together


class GuardedAdapter(HTTPAdapter):
    """Send with a timeout. With `stay_local`, or in a rehearsal, refuse any other machine."""

    def __init__(
        self,
        *,
        timeout_s: float,  # longest silence while waiting for an answer or reading it
        stay_local: bool,  # the endpoint is a sandbox
    ):
        self.timeout_s, self.stay_local = timeout_s, stay_local
        super().__init__()

    def send(self, request: Any, *args: Any, **options: Any) -> requests.Response:
        """Send one request; redirects and proxies are checked as well."""
        if self.stay_local or is_rehearsal():
            assert_loopback(request.url or "")
            if proxy := select_proxy(request.url or "", options.get("proxies")):
                assert_loopback(prepend_scheme_if_needed(proxy, "http"))
        options["timeout"] = options.get("timeout") or (CONNECT_TIMEOUT_S, self.timeout_s)
        return super().send(request, *args, **options)


def guard(session: requests.Session, *, timeout_s: float, stay_local: bool) -> requests.Session:
    """Route everything `session` sends through a GuardedAdapter."""
    for prefix in ("http://", "https://"):
        session.mount(prefix, GuardedAdapter(timeout_s=timeout_s, stay_local=stay_local))
    return session


def retry_read(
    read: Callable[[], T],  # sends one request that is safe to repeat
    limits: Limits = Limits(),
) -> T:
    """Return what `read` returns; try again after a temporary failure, with jitter.

    Raises the last failure unchanged. Never use this for a write: its answer may only be lost.
    """
    ends = time.monotonic() + limits.deadline_s

    def should_retry(e: Exception) -> bool | float:
        if not is_transient(e):
            return False
        pause = retry_after_s(e)
        if pause is None:
            return True
        # The user decides about a wait that is longer than the deadline.
        return pause if time.monotonic() + pause < ends else False

    for attempt in stamina.retry_context(
        on=should_retry,
        attempts=limits.tries,
        timeout=limits.deadline_s,
        wait_initial=0.5,
        wait_max=30.0,
    ):
        with attempt:
            try:
                return read()
            except FAILURES as e:
                if is_transient(e) and attempt.num < limits.tries:
                    pause_s = retry_after_s(e) or attempt.next_wait
                    if time.monotonic() + pause_s < ends:
                        announce_wait(pause_s, e)
                raise
    raise RuntimeError("stamina made no attempt")


def announce_wait(wait_s: float, failure: Exception) -> None:
    """Log that a failed request is tried again, if the wait is long enough to wonder about."""
    if wait_s >= SILENT_WAIT_S:
        why = status_of(failure) or "lost connection"
        _log.warning("Kaggle: retrying in %.0f s (%s)", wait_s, why)


def is_transient(e: Exception) -> bool:
    """Say whether the same request may work in a moment: lost connection, timeout, 429, 5xx.

    A 501 is final: the service has no such endpoint.
    """
    if isinstance(e, requests.exceptions.SSLError):
        return False
    if isinstance(e, requests.HTTPError):
        status = status_of(e) or 0
        return status in (408, 425, 429) or (status >= 500 and status != 501)
    return isinstance(e, LOST_CONNECTION)


def status_of(e: Exception) -> int | None:
    """Return the HTTP status of a failure, or the code in the body if only that is an error."""
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
    """Return the seconds in the answer's Retry-After header, None without one."""
    answer = getattr(e, "response", None)
    header = answer.headers.get("Retry-After") if answer is not None else None
    if not header:
        return None
    try:
        return min(max(0.0, float(header)), LONGEST_WAIT_S)  # "nan" becomes 0
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None
