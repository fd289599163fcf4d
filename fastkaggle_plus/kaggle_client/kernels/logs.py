"""A notebook's log: as it is stored, or live while it runs, each piece once however often the line drops."""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import requests

from ...exceptions import KaggleUnavailable, RateLimited
from .. import api, retry, session
from .. import http as transport
from . import lookup
from .lookup import Kernel

if TYPE_CHECKING:
    from kaggle.api.kaggle_api_extended import KaggleApi

    from .push import KernelVersion

END = "END_OF_LOG"


@dataclass(frozen=True)
class LogEvent:
    "A piece of output; not always a whole line."

    stream: str  # stdout | stderr
    time_s: float  # since the notebook started
    text: str


def kernel_logs(
    handle: str | KernelVersion,  # owner/name, or what push_notebook returned
    version: int | None = None,  # None = the current one
    follow: bool = False,  # yield pieces live, until the notebook ends
    *,
    poll_s: float = 5.0,  # longest pause before a dropped line is picked up again
    client: KaggleApi | None = None,
) -> Iterable[LogEvent]:
    "Return the log of a notebook: a list of what there is now or, with `follow`, an iterator that ends when the notebook does."
    from . import status

    client = client or session.import_kaggle()
    kernel = status.pinned(client, lookup.kernel_of(handle, version, client))
    return _live(client, kernel, poll_s) if follow else stored(client, kernel)


def stored(client: Any, kernel: Kernel) -> list[LogEvent]:
    "Return the log as it is stored with the output."
    from kagglesdk.kernels.types.kernels_api_service import ApiListKernelSessionOutputRequest

    request = lookup.about(ApiListKernelSessionOutputRequest(), kernel)
    request.page_size = 1
    answer = lookup.read(
        client, "list_kernel_session_output", request, kernel=kernel, doing="read the log of"
    )
    return parse(answer.log or "")


def parse(log: str) -> list[LogEvent]:
    "Return the events of a stored log: a JSON array, or lines where it is none."
    try:
        pieces = json.loads(log) if log else []
    except ValueError:
        return [LogEvent("stdout", 0.0, line) for line in log.splitlines(keepends=True)]
    return [
        _event(p) for p in (pieces if isinstance(pieces, list) else [pieces]) if isinstance(p, dict)
    ]


def tail(events: Iterable[LogEvent], n_lines: int = 20) -> str:
    "Return the last lines of a log without their colours, very long ones cut."
    text = re.sub(
        r"\x1b\[[0-9;]*m",
        "",
        "".join(e.text if e.text.endswith("\n") else e.text + "\n" for e in events),
    )
    return "\n".join(line[:500] for line in text.splitlines()[-n_lines:])


def _live(client: Any, kernel: Kernel, poll_s: float) -> Iterator[LogEvent]:
    from . import status

    told: Counter[str] = Counter()  # characters of each stream
    deaf, pause = 0, 0.0
    while True:
        time.sleep(pause)
        before = told.total()
        try:
            is_done = status.status_of(client, kernel).is_done
            deaf = 0
        except (KaggleUnavailable, RateLimited):
            deaf += 1
            if deaf == 3:  # each of them has tried for minutes
                raise
            continue
        # A notebook may be silent for an hour: as long as it runs, a line that drops is picked up again.
        try:
            for event in _news(_connected(client, kernel), told):
                if event is None:
                    return
                yield event
        except (KaggleUnavailable, RateLimited):
            pass
        except requests.RequestException as e:
            if isinstance(e, requests.HTTPError) and not retry.is_transient(e):
                with lookup.explained(client, kernel=kernel, doing="follow the log of"):
                    raise
        if is_done:
            # The line may have dropped before the last piece; stored it is whole.
            yield from filter(None, _news(stored(client, kernel), told))
            return
        pause = min(poll_s, 0.5 if told.total() > before else max(0.5, pause * 1.5))


def _news(events: Iterable[LogEvent | None], told: Counter[str]) -> Iterator[LogEvent | None]:
    """Yield what was not told yet of a log that is told from its start.

    Characters are counted, not events: the stored log may be cut into other pieces than the live one.
    """
    heard: Counter[str] = Counter()
    for event in events:
        if event is None:
            yield None
            return
        new = event.text[max(0, told[event.stream] - heard[event.stream]) :]
        heard[event.stream] += len(event.text)
        if new:
            told[event.stream] = heard[event.stream]
            yield replace(event, text=new)


def _connected(client: Any, kernel: Kernel) -> Iterator[LogEvent | None]:
    "Yield the events of one connection; None where the service says that the log has ended."
    with client.build_kaggle_client() as kaggle:
        http = kaggle.http_client()
        if not hasattr(client, "timeout_s"):
            transport.guard(http._session, timeout_s=60.0, stay_local=api.is_local(client))
        url = http._get_request_url(
            "kernels/logs/stream", f"{quote(kernel.owner)}/{quote(kernel.slug)}"
        )
        headers = {
            "Accept": "text/event-stream, */*",
            "Accept-Encoding": "identity",
            "Content-Type": None,
        }
        with http._session.get(
            url,
            params={"versionLabel": f"v{kernel.version}"} if kernel.version else None,
            headers=headers,
            stream=True,
        ) as answer:
            if answer.status_code == 404:  # nothing to stream yet, or any more
                yield from stored(client, kernel)
                return
            answer.raise_for_status()
            if not answer.headers.get("Content-Type", "").lower().startswith("text/event-stream"):
                yield from parse(answer.text)
                return
            for line in _lines(answer):
                payload = line.removeprefix("data:").strip() if line.startswith("data:") else ""
                if payload == END:
                    yield None
                    return
                with contextlib.suppress(ValueError):
                    if payload and isinstance(piece := json.loads(payload), dict):
                        yield _event(piece)


def _lines(answer: requests.Response) -> Iterator[str]:
    "Yield whole lines as they arrive; one that the connection cuts short is left out."
    rest = b""
    # Without chunks a read of more than one byte would wait until that much has come.
    for chunk in answer.iter_content(None if getattr(answer.raw, "chunked", False) else 1):
        *lines, rest = (rest + chunk).split(b"\n")
        yield from (line.decode("utf-8", "replace").rstrip("\r") for line in lines)


def _event(piece: dict[str, Any]) -> LogEvent:
    try:
        time_s = float(piece.get("time") or 0.0)
    except (TypeError, ValueError):
        time_s = 0.0
    return LogEvent(str(piece.get("stream_name") or "stdout"), time_s, str(piece.get("data") or ""))
