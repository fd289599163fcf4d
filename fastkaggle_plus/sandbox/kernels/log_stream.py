"""A kernel's log over HTTP: events while it runs, from the first line at every connection; a JSON array when it has ended."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from ..auth import Credentials
from ..rpc import Fields, Refused
from .sessions import KernelSessions
from .store import ACTIVE, Version

_BEAT_S = 2.0  # a comment line this often keeps an idle connection open


@dataclass
class LogStream:
    "The answer to one request for a log."

    sessions: KernelSessions
    credentials: Credentials

    async def answer(self, request: Request, find: Callable[[Fields], Version]) -> Response:
        "Answer with events or an array, or say why not."
        if not self.credentials.admits(request.headers.get("authorization", "")):
            return JSONResponse(
                {
                    "code": 401,
                    "message": "Unauthenticated: the user name and key, or the token, are missing or not valid.",
                },
                401,
            )
        asked = {
            "userName": request.path_params["owner"],
            "kernelSlug": request.path_params["slug"],
            "versionLabel": request.query_params.get("versionLabel"),
        }
        try:
            version = await run_in_threadpool(find, asked)
        except Refused as e:
            return JSONResponse({"code": e.status, "message": str(e)}, e.status)
        if version.session is None or version.status not in ACTIVE:
            return Response(
                json.dumps(self.sessions.runs.log(version.session)), media_type="application/json"
            )
        return StreamingResponse(
            self._events(version.session),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-cache"},
        )

    def _events(self, session: int) -> Iterator[str]:
        sent = 0  # bytes of the log, which has one event a line
        while True:
            length = self.sessions.runs.wait_for_news(session, sent, _BEAT_S)
            lines = self.sessions.runs.log_lines(session, sent)
            yield from (f"data: {line.decode()}\n\n" for line in lines)
            sent += sum(len(line) + 1 for line in lines)
            if length is None:
                yield "data: END_OF_LOG\n\n"
                return
            if not lines:
                yield ": still running\n\n"
