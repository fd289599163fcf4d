"""Read a notebook's log: the stored one, or live during the run, each piece once."""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

import requests

from ...exceptions import KaggleUnavailable, RateLimited
from .. import api, http, session
from ..api import KaggleApi
from . import lookup
from .kernel import Kernel, KernelVersion, kernel_of

_END = "END_OF_LOG"
_MAX_FAILURES = 3  # of reading the status in a row; each has been retried for minutes


@dataclass(frozen=True)
class LogEvent:
    """A piece of output; not always a whole line."""

    stream: str  # stdout | stderr
    time_s: float  # since the notebook started
    text: str


def kernel_logs(
    handle: str | KernelVersion,  # owner/name, or the result of push_notebook
    version: int | None = None,  # None = the current one
    follow: bool = False,  # yield pieces live, until the notebook ends
    *,
    poll_s: float = 5.0,  # longest pause before reconnecting
    client: KaggleApi | None = None,
) -> Iterable[LogEvent]:
    """Return the log of a notebook so far, as a list.

    With `follow`, return an iterator that ends when the notebook does.
    """
    client = client or session.import_kaggle()
    kernel = lookup.with_version(client, kernel_of(handle, version, client))
    return _live_log(client, kernel, poll_s) if follow else stored_log(client, kernel)


def stored_log(client: Any, kernel: Kernel) -> list[LogEvent]:
    """Return the log that is stored with the output."""
    about, doing = lookup.about(client, kernel), "read the log of"
    answer = about.call("list_kernel_session_output", doing=doing, page_size=1)
    return parse_log(answer.log or "")


def parse_log(log: str) -> list[LogEvent]:
    """Return the events of a stored log, which is a JSON array or plain lines."""
    try:
        pieces = json.loads(log) if log else []
    except ValueError:
        return [LogEvent("stdout", 0.0, line) for line in log.splitlines(keepends=True)]
    pieces = pieces if isinstance(pieces, list) else [pieces]
    return [_event(piece) for piece in pieces if isinstance(piece, dict)]


def tail(events: Iterable[LogEvent], n_lines: int = 20) -> str:
    """Return the last lines of a log, without colours and each cut to 500 characters."""
    texts = (e.text if e.text.endswith("\n") else e.text + "\n" for e in events)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", "".join(texts))
    return "\n".join(line[:500] for line in plain.splitlines()[-n_lines:])


def _live_log(client: Any, kernel: Kernel, poll_s: float) -> Iterator[LogEvent]:
    n_seen: Counter[str] = Counter()  # characters yielded of each stream
    n_failures, pause = 0, 0.0
    while True:
        time.sleep(pause)
        before = n_seen.total()
        try:
            is_done = lookup.read_status(client, kernel).is_done
            n_failures = 0
        except (KaggleUnavailable, RateLimited):
            n_failures += 1
            if n_failures == _MAX_FAILURES:
                raise
            continue
        # A notebook may print nothing for an hour: reconnect as long as it runs.
        try:
            for event in _new_events(_stream(client, kernel), n_seen):
                if event is None:
                    return
                yield event
        except (KaggleUnavailable, RateLimited):
            pass
        except requests.RequestException as e:
            if isinstance(e, requests.HTTPError) and not http.is_transient(e):
                with lookup.about(client, kernel).explained("follow the log of"):
                    raise
        if is_done:
            # The connection may have been lost before the last piece; the stored log is whole.
            yield from filter(None, _new_events(stored_log(client, kernel), n_seen))
            return
        pause = min(poll_s, 0.5 if n_seen.total() > before else max(0.5, pause * 1.5))


def _new_events(
    events: Iterable[LogEvent | None],  # from the start of the log; None = its end
    n_seen: Counter[str],  # characters yielded before, of each stream; updated
) -> Iterator[LogEvent | None]:
    """Yield the part of a log that was not yielded before.

    Characters are counted, not events: the stored log may be cut at other places than the live one.
    """
    position: Counter[str] = Counter()
    for event in events:
        if event is None:
            yield None
            return
        new = event.text[max(0, n_seen[event.stream] - position[event.stream]) :]
        position[event.stream] += len(event.text)
        if new:
            n_seen[event.stream] = position[event.stream]
            yield replace(event, text=new)


def _stream(client: Any, kernel: Kernel) -> Iterator[LogEvent | None]:
    """Yield the events of one connection; None at the end of the log."""
    headers = {
        "Accept": "text/event-stream, */*",
        "Accept-Encoding": "identity",
        "Content-Type": None,
    }
    params = {"versionLabel": f"v{kernel.version}"} if kernel.version else None
    with api.connection(client) as kaggle:
        low = kaggle.http_client()
        handle = f"{quote(kernel.owner)}/{quote(kernel.slug)}"
        url = low._get_request_url("kernels/logs/stream", handle)
        with low._session.get(url, params=params, headers=headers, stream=True) as answer:
            if answer.status_code == 404:  # not started, or ended
                yield from stored_log(client, kernel)
                return
            answer.raise_for_status()
            if not answer.headers.get("Content-Type", "").lower().startswith("text/event-stream"):
                yield from parse_log(answer.text)
                return
            yield from _server_sent_events(answer)


def _server_sent_events(answer: requests.Response) -> Iterator[LogEvent | None]:
    for line in _lines(answer):
        payload = line.removeprefix("data:").strip() if line.startswith("data:") else ""
        if payload == _END:
            yield None
            return
        with contextlib.suppress(ValueError):
            if payload and isinstance(piece := json.loads(payload), dict):
                yield _event(piece)


def _lines(answer: requests.Response) -> Iterator[str]:
    """Yield whole lines as they arrive; one that the connection cuts short is left out."""
    rest = b""
    # Without chunked encoding, a read of more bytes would wait until all of them arrived.
    for chunk in answer.iter_content(None if getattr(answer.raw, "chunked", False) else 1):
        *lines, rest = (rest + chunk).split(b"\n")
        yield from (line.decode("utf-8", "replace").rstrip("\r") for line in lines)


def _event(piece: dict[str, Any]) -> LogEvent:
    stream, time_s = piece.get("stream_name") or "stdout", float(piece.get("time") or 0.0)
    return LogEvent(str(stream), time_s, str(piece.get("data") or ""))
