"""The ASGI application: RPC over POST, the services' other routes, and proxy requests."""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from .auth import OPEN_METHODS, Account
from .fault_middleware import App, FaultMiddleware, Receive, Scope, Send
from .faults import Faults
from .rest import RestMiddleware
from .rpc import Fields, Refused, Rejected, Service, error_response

_LOCAL = {"localhost", "127.0.0.1", "::1"}
# A field of the wrong type raises one of these somewhere in a service.
_BAD_FIELD = (
    TypeError,
    ValueError,
    AttributeError,
    OverflowError,
    sqlite3.ProgrammingError,
    sqlite3.InterfaceError,
)


class ProxyMiddleware:
    """Accept `POST http://localhost/... HTTP/1.1`, the form in which a client asks its proxy.

    Requests for any other host are refused.
    """

    def __init__(self, app: App):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            target = scope["raw_path"].decode("latin-1") if "://" in scope["path"] else ""
            host = urlsplit(target).hostname if target else None
            if scope["method"] == "CONNECT" or (target and host not in _LOCAL):
                wanted = host or scope["path"].lstrip("/") or "another host"
                refusal = error_response(
                    403,
                    f"The sandbox fetches nothing from {wanted}: "
                    "a rehearsal stays on this machine.",
                )
                return await refusal(scope, receive, send)
            if target:
                path = urlsplit(scope["path"]).path or "/"
                raw_path = urlsplit(target).path.encode("latin-1")
                scope = {**scope, "path": path, "raw_path": raw_path}
        await self.app(scope, receive, send)


@dataclass
class RpcEndpoint:
    """Answer the RPC methods of all services."""

    services: Mapping[str, Service]  # by their RPC names
    account: Account

    async def answer(self, request: Request) -> Response:
        """Answer POST /v1/SERVICE/METHOD."""
        name, method = request.path_params["service"], request.path_params["method"]
        service = self.services.get(name)
        call = service.method(method) if service else None
        header = request.headers.get("authorization", "")
        is_public = not header and getattr(call, "is_public_read", False)
        is_open = is_public or f"{name}/{method}" in OPEN_METHODS
        if not is_open:
            self.account.check(header)
        try:
            fields = await _read_fields(request)
        except ClientDisconnect:
            return Response(status_code=400)
        fields.is_anonymous = is_open
        if service is None or call is None:
            raise Refused(501, f"The sandbox has no endpoint {name}/{method}.")
        try:
            answer = await run_in_threadpool(call, fields)
        except Rejected as e:
            answer = service.rejection(e)
        except _BAD_FIELD as e:
            raise Refused(400, f"The request does not fit {name}/{method}: {e}") from e
        return answer if isinstance(answer, Response) else JSONResponse(answer)


def make_app(
    services: Mapping[str, Service],  # by their RPC names
    account: Account,
    faults: Faults,
) -> App:
    """Return the ASGI application."""
    rpc = RpcEndpoint(services, account)
    routes: list[BaseRoute] = [
        Route(f"{prefix}/{{service}}/{{method}}", rpc.answer, methods=["POST"])
        for prefix in ("/v1", "/api/v1")
    ]
    for service in services.values():
        routes += service.routes()
    handlers: dict[Any, Any] = {
        Refused: _refused,
        404: _not_found,
        405: _not_allowed,
        500: _server_error,
    }
    app = Starlette(routes=routes, exception_handlers=handlers)
    return ProxyMiddleware(RestMiddleware(FaultMiddleware(app, faults, account)))


async def _read_fields(request: Request) -> Fields:
    """Return the fields of a request; a null is the same as a missing field."""
    try:
        content = json.loads(await request.body() or b"{}")
        if not isinstance(content, dict):
            raise ValueError("an object is expected")
        json.dumps(content, ensure_ascii=False).encode()  # refuses a lone surrogate in a text
    except (ValueError, RecursionError) as e:
        raise Refused(400, f"The request body is not valid JSON: {e}") from e
    fields = Fields({k: v for k, v in content.items() if v is not None})
    fields.root = f"{request.url.scheme}://{request.headers.get('host', 'localhost')}"
    return fields


def _refused(request: Request, error: Refused) -> Response:
    return error_response(error.status, str(error))


def _not_found(request: Request, error: Exception) -> Response:
    path = request.url.path
    # Of a 404, clients say that the competition or dataset was not found.
    if path.startswith(("/v1/", "/api/")):
        return error_response(501, f"The sandbox has no endpoint {path}.")
    return error_response(404, f"The sandbox has nothing at {path}.")


def _not_allowed(request: Request, error: Exception) -> Response:
    return error_response(405, "Method not allowed.")


def _server_error(request: Request, error: Exception) -> Response:
    return error_response(
        500,
        f"The sandbox failed: {type(error).__name__}. "
        "This is an error in the sandbox; its log has the traceback.",
    )
