"""The server layer that makes faults happen, and the endpoint /sandbox/faults that sets them."""

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from uvicorn.protocols.http.h11_impl import H11Protocol

from ..exceptions import FastkaggleError
from .auth import Account
from .faults import CHANGING, REFUSING, Fault, Faults
from .rpc import Refused, error_response

ENDPOINT = "/sandbox/faults"
_REASONS = {
    429: "Too many requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}
Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class DroppableProtocol(H11Protocol):
    """A connection that the application can close: `scope["drop"]()`."""

    def __init__(self, *arguments: Any, **options: Any):
        super().__init__(*arguments, **options)
        self._inner, self.app = self.app, self._call_inner

    async def _call_inner(self, scope: Any, receive: Any, send: Any) -> None:
        scope["drop"] = self.transport.close
        await self._inner(scope, receive, send)


class FaultMiddleware:
    """Apply the faults that are set to the requests."""

    def __init__(self, app: App, faults: Faults, account: Account):
        self.app, self.faults, self.account = app, faults, account

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
        elif scope["path"] == ENDPOINT:
            answer = await self._endpoint(Request(scope, receive))
            await answer(scope, receive, send)
        elif (fault := self.faults.take(scope["method"], scope["path"])) is None:
            await self.app(scope, receive, send)
        else:
            await self._apply(fault, scope, receive, send)

    async def _apply(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        if fault.kind in REFUSING:
            if fault.after:
                await self.app(scope, receive, _discard)
            else:
                await _read_request(receive)
            return await _refusal(fault)(scope, receive, send)
        if fault.kind in ("drop-before", "drop-after"):
            if fault.kind == "drop-after":
                await self.app(scope, receive, _discard)
            return await _drop(scope, receive)
        if fault.kind in CHANGING:
            changed = _ChangedBody(fault, send)
            await self.app(scope, receive, changed)
            if changed.is_short:
                await _drop(scope, receive)
            return
        if fault.kind == "delay":
            await asyncio.sleep(fault.seconds)
        if fault.kind == "expired-upload":
            await run_in_threadpool(
                self.account.state.update,
                "delete from uploads where token = ? and not used",
                scope["path"].rsplit("/", 1)[-1],
            )
        await self.app(scope, receive, send)

    async def _endpoint(self, request: Request) -> Response:
        """Answer GET (list the faults), POST {"spec": ...} (set one) and DELETE (remove all)."""
        host = request.client.host if request.client else ""
        if not (host == "::1" or host.startswith("127.")):
            return error_response(403, "Faults can be set from this machine only.")
        try:
            header = request.headers.get("authorization", "")
            await run_in_threadpool(self.account.check, header)
            if request.method == "POST":
                fields = json.loads(await request.body() or b"{}")
                if not isinstance(fields, dict) or not isinstance(fields.get("spec"), str):
                    raise ValueError('expected an object like {"spec": "503:CreateSubmission"}')
                self.faults.set(fields["spec"])
            elif request.method == "DELETE":
                self.faults.clear()
            elif request.method != "GET":
                raise Refused(405, "Method not allowed.")
        except Refused as e:
            return error_response(e.status, str(e))
        except (FastkaggleError, ValueError) as e:
            return error_response(400, str(e))
        names = ("spec", "kind", "where", "seen", "done")
        listed = [{n: getattr(f, n) for n in names} for f in self.faults.listed()]
        return JSONResponse({"faults": listed})


class _ChangedBody:
    """Send an answer with its body cut or corrupted."""

    def __init__(self, fault: Fault, send: Send):
        self._fault, self._send = fault, send
        self._n_passed, self._at = 0, 0
        self.is_short = False  # fewer bytes were sent than announced

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = self._changed_headers(message["headers"])
            return await self._send({**message, "headers": headers})
        body, start = message.get("body", b""), self._n_passed
        self._n_passed += len(body)
        if self._fault.kind == "corrupt":
            if start <= self._at < self._n_passed:
                i = self._at - start
                body = body[:i] + bytes([body[i] ^ 0xFF]) + body[i + 1 :]
            return await self._send({**message, "body": body})
        more = self.is_short or message.get("more_body", False)
        cut = body[: max(0, self._at - start)]
        await self._send({**message, "body": cut, "more_body": more})

    def _changed_headers(self, headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        by_name = {k.lower(): v for k, v in headers}
        size = int(by_name.get(b"content-length", 0))
        at = size // 2 if self._fault.at is None else self._fault.at
        self._at = min(at, max(0, size - 1))
        self.is_short = self._fault.kind == "truncate" and size > 0
        if self._fault.no_md5:
            by_name.pop(b"x-goog-hash", None)
        if self._fault.kind == "truncate-silently" and size:
            by_name[b"content-length"] = str(self._at).encode()
        return list(by_name.items())


async def _discard(message: Message) -> None:
    """Drop an answer that the client does not get."""


async def _read_request(receive: Receive) -> None:
    """Read the whole request, as a gateway does before it refuses it."""
    while (message := await receive())["type"] == "http.request" and message.get("more_body"):
        pass


async def _drop(scope: Scope, receive: Receive) -> None:
    """Close the connection and wait until it is closed."""
    scope["drop"]()
    while (await receive())["type"] != "http.disconnect":
        pass


def _refusal(fault: Fault) -> Response:
    code = int(fault.kind)
    reason = _REASONS[code]
    headers = {"Retry-After": f"{fault.retry_after:g}"} if fault.retry_after is not None else {}
    if fault.shape == "html":
        return HTMLResponse(f"<html><body><h1>{code} {reason}</h1></body></html>", code, headers)
    content: dict[str, Any] = {"code": code, "message": reason}
    if fault.shape == "gateway":
        status = "RESOURCE_EXHAUSTED" if code == 429 else "UNAVAILABLE"
        content = {"error": {**content, "status": status}}
    return JSONResponse(content, code, headers)
