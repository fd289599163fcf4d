"""The REST routes of kaggle before 1.8: each is another form of an RPC method."""

import email
import json
import re
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from .fault_middleware import App, Message, Receive, Scope, Send
from .rest_routes import RestRoute, find_route
from .rpc import Refused, error_response

# The names in a query are read without their case: kaggle 1.7 writes all in small letters.
_NAMES = {
    name.lower(): name
    for name in (
        "sortBy pageSize pageToken userName kernelSlug kernelType outputType parentKernel fileType "
        "tagIds minSize maxSize datasetVersionNumber versionNumber overridePublic"
    ).split()
}
_FLAGS = re.compile(r"(is|enable)[A-Z]\w*|deleteOldVersions|fineTunable|overridePublic|raw")
# Fields that the old clients read from the rows of a list, and from other answers.
_ROWS: dict[str, tuple[str, dict[str, Any]]] = {
    "GetLeaderboard": ("submissions", {"teamNameNullable": None}),
    "ListDatasets": (
        "datasets",
        {"files": [], "versions": [], "voteCount": 0, "usabilityRating": 0.0},
    ),
    "ListKernels": ("kernels", {"lastRunTime": None}),
    "ListSubmissions": ("submissions", {}),
}
_ANSWERS: dict[str, dict[str, Any]] = {
    "GetModel": {"publishTime": None},
    "ListDatasetFiles": {"errorMessage": ""},
    "GetKernelSessionStatus": {"failureMessage": None},
}


class RestMiddleware:
    """Turn a REST request into the RPC request, and the RPC answer into the REST answer."""

    def __init__(self, app: App):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        route, values = find_route(scope.get("method", ""), scope.get("path", ""))
        if route is None:
            return await self.app(scope, receive, send)
        request = Request(scope, receive)
        try:
            fields = await _read_fields(request, route, values)
        except Refused as e:
            return await error_response(e.status, str(e))(scope, receive, send)
        except ClientDisconnect:
            return await Response(status_code=400)(scope, receive, send)
        body = json.dumps(fields).encode()
        path = f"/api/v1/{route.service}/{route.method}"
        kept = [(k, v) for k, v in scope["headers"] if not k.startswith(b"content-")]
        asked = {
            **scope,
            "method": "POST",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": [*kept, (b"content-length", str(len(body)).encode())],
        }
        await self.app(asked, _once(body, receive), _Answer(route, scope, receive, send))


class _Answer:
    """Send an RPC answer in its REST form; what is not JSON passes unchanged."""

    def __init__(self, route: RestRoute, scope: Scope, receive: Receive, send: Send):
        self._route, self._scope, self._receive, self._send = route, scope, receive, send
        self._start: Message | None = None
        self._body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = dict(message["headers"])
            is_json = headers.get(b"content-type", b"").startswith(b"application/json")
            if is_json and message["status"] == 200:
                self._start = message
                return
        if self._start is None:
            return await self._send(message)
        self._body += message.get("body", b"")
        if message.get("more_body"):
            return
        try:
            answer = JSONResponse(_rest_answer(self._route, json.loads(self._body)))
        except (ValueError, KeyError):  # a fault has changed the answer
            await self._send(self._start)
            await self._send({**message, "body": self._body})
        else:
            await answer(self._scope, self._receive, self._send)


async def _read_fields(request: Request, route: RestRoute, values: dict[str, str]) -> Any:
    """Return the fields of the RPC request: those of the path, of the query and of the body."""
    body = _read_body(request.headers.get("content-type", ""), await request.body())
    if route.body_field:
        body = {route.body_field: body}
    given = ((k, v) for k, v in request.query_params.items() if v not in ("", "None"))
    query = {_NAMES.get(k.lower(), k): v for k, v in given}
    return _to_rpc({**query, **body, **values})


def _read_body(kind: str, content: bytes) -> dict[str, Any]:
    """Return the fields of a JSON object or of a form. Raises Refused."""
    try:
        if kind.startswith("application/x-www-form-urlencoded"):
            return dict(parse_qsl(content.decode()))
        if kind.startswith("multipart/form-data"):
            return _read_form(f"Content-Type: {kind}\r\n\r\n".encode() + content)
        fields = json.loads(content or b"{}")
        if not isinstance(fields, dict):
            raise ValueError("an object is expected")
    except (ValueError, RecursionError) as e:
        raise Refused(400, f"The request body is neither a JSON object nor a form: {e}") from e
    return fields


def _read_form(content: bytes) -> dict[str, Any]:
    fields = {}
    for part in email.message_from_bytes(content).walk():
        payload = part.get_payload(decode=True)  # None for the form itself
        if isinstance(payload, bytes):
            name = part.get_param("name", header="content-disposition")
            fields[str(name)] = payload.decode()
    return fields


def _to_rpc(value: Any, name: str = "") -> Any:
    """Return a value as the RPC methods expect it: flags are booleans, enums in capitals."""
    if isinstance(value, dict) and name != "updateMask":
        return {k: _to_rpc(v, k) for k, v in value.items()}
    if isinstance(value, dict):
        return ",".join(value.get("paths", []))
    if isinstance(value, list):
        return [_to_rpc(v) for v in value]
    if isinstance(value, str) and _FLAGS.fullmatch(name):
        return value.lower() == "true"
    if isinstance(value, str) and name == "sortBy":
        return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", value)
    return value


def _rest_answer(route: RestRoute, answer: dict[str, Any]) -> Any:
    """Return an answer as the old clients expect it: states in small letters, lists alone."""
    answer = _lower_status({**_ANSWERS.get(route.method, {}), **answer})
    if route.method in _ROWS:
        name, known = _ROWS[route.method]
        answer[name] = [_lower_status({**known, **row}) for row in answer[name]]
    return answer[route.answer_field] if route.answer_field else answer


def _lower_status(row: dict[str, Any]) -> dict[str, Any]:
    return {k: v.lower() if k == "status" else v for k, v in row.items()}


def _once(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that gives the body first, and then what the client sends."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def give() -> Message:
        return messages.pop() if messages else await receive()

    return give
