"""The layer of the server where faults happen, and the endpoint that sets them while it runs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from uvicorn.protocols.http.h11_impl import H11Protocol

from ..exceptions import FastkaggleError
from .auth import Credentials
from .faults import CHANGING, REFUSING, Fault, Faults

ADMIN = "/sandbox/faults"
_WORDS = {
    "429": "Too many requests",
    "500": "Internal Server Error",
    "502": "Bad Gateway",
    "503": "Service Unavailable",
    "504": "Gateway Timeout",
}
Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Droppable(H11Protocol):
    "A connection that the application can drop: `scope['drop']()`."

    def __init__(self, *arguments: Any, **options: Any):
        super().__init__(*arguments, **options)
        inner = self.app

        async def app(scope: Any, receive: Any, send: Any) -> None:
            scope["drop"] = self.transport.close
            await inner(scope, receive, send)

        self.app = app


class Faulty:
    "Let the faults that are set happen to what passes."

    def __init__(
        self,
        app: Callable[[Scope, Receive, Send], Awaitable[None]],
        faults: Faults,
        credentials: Credentials,
    ):
        self.app, self.faults, self.credentials = app, faults, credentials

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        if scope["path"] == ADMIN:
            answer = await self._admin(Request(scope, receive))
            return await answer(scope, receive, send)
        fault = self.faults.take(scope["method"], scope["path"])
        if fault is None:
            return await self.app(scope, receive, send)
        await self._happen(fault, scope, receive, send)

    async def _happen(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        if fault.kind in REFUSING:
            if fault.after:
                await self.app(scope, receive, _nowhere)
            else:
                await _read(receive)
            return await _refusal(fault)(scope, receive, send)
        if fault.kind in ("drop-before", "drop-after"):
            if fault.kind == "drop-after":
                await self.app(scope, receive, _nowhere)
            return await _drop(scope, receive)
        if fault.kind in CHANGING:
            changed = _Changed(fault, send)
            await self.app(scope, receive, changed)
            if changed.is_short:
                await _drop(scope, receive)
            return
        if fault.kind == "delay":
            await asyncio.sleep(fault.seconds)
        if fault.kind == "expired-upload":  # the session is gone for good, as one that is too old
            token = scope["path"].rsplit("/", 1)[-1]
            await run_in_threadpool(
                self.credentials.state.update,
                "delete from uploads where token = ? and not used",
                token,
            )
        await self.app(scope, receive, send)

    async def _admin(self, request: Request) -> Response:
        'GET lists the faults, POST {"spec": ...} sets one, DELETE clears them; for whoever runs the sandbox.'
        host = request.client.host if request.client else ""
        if not (host == "::1" or host.startswith("127.")):
            return _error(403, "Faults are set from this machine only.")
        if not await run_in_threadpool(
            self.credentials.admits, request.headers.get("authorization", "")
        ):
            return _error(
                401,
                "Unauthenticated: the user name and key, or the token, are missing or not valid.",
            )
        if request.method == "POST":
            try:
                said = json.loads(await request.body() or b"{}")
                if not isinstance(said, dict) or not isinstance(said.get("spec"), str):
                    raise ValueError('an object like {"spec": "503:CreateSubmission"} is expected')
                self.faults.set(said["spec"])
            except (FastkaggleError, ValueError) as e:
                return _error(400, str(e))
        elif request.method == "DELETE":
            self.faults.clear()
        elif request.method != "GET":
            return _error(405, "Method not allowed.")
        return JSONResponse(
            {
                "faults": [
                    {
                        "spec": f.spec,
                        "kind": f.kind,
                        "where": f.where,
                        "seen": f.seen,
                        "done": f.done,
                    }
                    for f in self.faults.listed()
                ]
            }
        )


class _Changed:
    "Sends an answer on with its body cut or corrupted."

    def __init__(self, fault: Fault, send: Send):
        self._fault, self._send = fault, send
        self._passed, self._at = 0, 0
        self.is_short = False  # fewer bytes went out than were announced

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            size = next(
                (int(v) for k, v in message["headers"] if k.lower() == b"content-length"), 0
            )
            self._at = min(
                size // 2 if self._fault.at is None else self._fault.at, max(0, size - 1)
            )
            self.is_short = self._fault.kind == "truncate" and size > 0
            headers = [
                (k, v)
                for k, v in message["headers"]
                if not (self._fault.no_md5 and k.lower() == b"x-goog-hash")
            ]
            if self._fault.kind == "truncate-silently" and size:
                headers = [
                    (k, str(self._at).encode() if k.lower() == b"content-length" else v)
                    for k, v in headers
                ]
            message = {**message, "headers": headers}
            return await self._send(message)
        body, start = message.get("body", b""), self._passed
        self._passed += len(body)
        if self._fault.kind == "corrupt":
            if start <= self._at < self._passed:
                i = self._at - start
                body = body[:i] + bytes([body[i] ^ 0xFF]) + body[i + 1 :]
            return await self._send({**message, "body": body})
        left = max(0, self._at - start)
        await self._send(
            {
                **message,
                "body": body[:left],
                "more_body": self.is_short or message.get("more_body", False),
            }
        )


async def _nowhere(message: Message) -> None:
    "Take an answer that nobody gets."


async def _read(receive: Receive) -> None:
    "Take the whole request, as a gateway does before it refuses it."
    while (message := await receive())["type"] == "http.request" and message.get("more_body"):
        pass


async def _drop(scope: Scope, receive: Receive) -> None:
    "Close the connection, and wait until it is."
    scope["drop"]()
    while (await receive())["type"] != "http.disconnect":
        pass


def _refusal(fault: Fault) -> Response:
    code, words = int(fault.kind), _WORDS[fault.kind]
    headers = {"Retry-After": f"{fault.retry_after:g}"} if fault.retry_after is not None else {}
    if fault.shape == "html":
        return HTMLResponse(f"<html><body><h1>{code} {words}</h1></body></html>", code, headers)
    if fault.shape == "gateway":
        return JSONResponse(
            {
                "error": {
                    "code": code,
                    "message": words,
                    "status": "RESOURCE_EXHAUSTED" if code == 429 else "UNAVAILABLE",
                }
            },
            code,
            headers,
        )
    return JSONResponse({"code": code, "message": words}, code, headers)


def _error(status: int, message: str) -> JSONResponse:
    return JSONResponse({"code": status, "message": message}, status)
