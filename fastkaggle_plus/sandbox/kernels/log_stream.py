"""Serve a kernel's log over HTTP: live events while it runs, a JSON array afterwards."""

import json
from collections.abc import Iterator

from starlette.responses import Response, StreamingResponse

from .runs import KernelRuns
from .store import ACTIVE, KernelVersion

_KEEP_ALIVE_S = 2.0  # the time between comments that keep an idle connection open


def log_response(runs: KernelRuns, version: KernelVersion) -> Response:
    """Answer with the log of a version. Each connection starts with the first line."""
    if version.session is None or version.status not in ACTIVE:
        return Response(json.dumps(runs.log(version.session)), media_type="application/json")
    return StreamingResponse(
        _events(runs, version.session),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-cache"},
    )


def _events(runs: KernelRuns, session: int) -> Iterator[str]:
    n_sent = 0  # bytes of the log, which has one event a line
    while True:
        length = runs.wait_for_log(session, n_sent, _KEEP_ALIVE_S)
        lines = runs.log_lines(session, n_sent)
        yield from (f"data: {line.decode()}\n\n" for line in lines)
        n_sent += sum(len(line) + 1 for line in lines)
        if length is None:
            yield "data: END_OF_LOG\n\n"
            return
        if not lines:
            yield ": still running\n\n"
