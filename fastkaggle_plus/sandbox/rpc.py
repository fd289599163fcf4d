"""The common form of all services: RPC methods by name, checked request fields, pages, refusals."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from starlette.responses import JSONResponse
from starlette.routing import BaseRoute

Row = dict[str, Any]  # a JSON object of an answer, or a row of the state
T = TypeVar("T")
Method = Callable[..., Any]
_PAGE_SIZE = 20


class Refused(Exception):
    """A request that is answered with an HTTP error status."""

    def __init__(self, status: int, message: str):
        super().__init__(message)
        self.status = status


class Rejected(Exception):
    """A request that is answered with status 200 and an `error` field; see Service.rejection."""

    def __init__(self, message: str, code: int = 400):
        super().__init__(message)
        self.code = code


class Fields(Row):
    """The fields of one request. A value of the wrong type is refused before anything is stored."""

    root = ""  # the server's URL as the client wrote it; right with and without a proxy
    is_anonymous = False  # sent without credentials

    def replaced(self, values: Mapping[str, Any]) -> "Fields":
        """Return this request with other values of some fields."""
        copy = Fields({**self, **values})
        copy.root, copy.is_anonymous = self.root, self.is_anonymous
        return copy

    def text(self, name: str, default: str = "") -> str:
        """Return a field that is text."""
        value = self.get(name)
        if value is None:
            return default
        if not isinstance(value, str):
            raise Refused(400, f"{name} = {value!r} is not text.")
        return value

    def texts(self, name: str) -> list[str]:
        """Return a field that is a list of texts."""
        return [Fields({name: value}).text(name) for value in self.get(name) or []]

    def enum(self, name: str, prefix: str = "") -> str:
        """Return a field that is the name of an enum's member, without the enum's prefix."""
        return self.text(name).upper().removeprefix(prefix)

    def number(self, name: str, default: int = 0) -> int:
        """Return a field that is a whole number."""
        return int(self.get(name) or default)

    def inner(self, name: str) -> "Fields":
        """Return a field that is an object."""
        value = self.get(name) or {}
        if not isinstance(value, dict):
            raise Refused(400, f"{name} = {value!r} is not an object.")
        inner = Fields(value)
        inner.root, inner.is_anonymous = self.root, self.is_anonymous
        return inner


def public_read(method: Method) -> Method:
    """Mark an RPC method that needs no credentials. It must hide what is private."""
    method.is_public_read = True  # type: ignore[attr-defined]
    return method


class Service:
    """Base of the services: the protocol's method `ListThings` is `rpc_list_things(fields)`."""

    def method(self, name: str) -> Callable[[Fields], Any] | None:
        """Return the method with this name in the protocol, or None."""
        snake = "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")
        return getattr(self, f"rpc_{snake}", None)

    @property
    def methods(self) -> list[str]:
        """The protocol names of all methods."""
        names = [name for name in dir(type(self)) if name.startswith("rpc_")]
        return ["".join(part.title() for part in name.split("_")[1:]) for name in names]

    def routes(self) -> Sequence[BaseRoute]:
        """Return the routes that are not RPC methods."""
        return ()

    def rejection(self, error: Rejected) -> Row:
        """Return the answer to a request that was rejected."""
        return {"error": str(error)}


class Services(Service):
    """Several services under one RPC name: a method belongs to the first that has it."""

    def __init__(self, *parts: Service):
        self.parts = parts

    def method(self, name: str) -> Callable[[Fields], Any] | None:
        found = (part.method(name) for part in self.parts)
        return next((method for method in found if method is not None), None)

    @property
    def methods(self) -> list[str]:
        return [name for part in self.parts for name in part.methods]

    def routes(self) -> Sequence[BaseRoute]:
        return [route for part in self.parts for route in part.routes()]

    def rejection(self, error: Rejected) -> Row:
        return self.parts[0].rejection(error)


def need(value: T | None, message: str, *, status: int = 404) -> T:
    """Return a value that must exist. Raises Refused."""
    if value is None:
        raise Refused(status, message)
    return value


def page(name: str, rows: list[Row], fields: Fields) -> Row:
    """Return one page of all rows, by token or by number."""
    size = max(1, min(fields.number("pageSize", _PAGE_SIZE), 1000))
    token = fields.get("pageToken") or ""
    if token and not str(token).isdecimal():
        raise Refused(400, f"The page token {token!r} is unknown.")
    start = int(token) if token else (max(1, fields.number("page", 1)) - 1) * size
    end = start + size
    return {name: rows[start:end], "nextPageToken": str(end) if end < len(rows) else ""}


def error_response(status: int, message: str) -> JSONResponse:
    """Return an error in the form that the clients read."""
    return JSONResponse({"code": status, "message": message}, status)


def timestamp(when: datetime) -> str:
    """Return a time in Kaggle's format."""
    return when.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def now() -> str:
    """Return the current time in Kaggle's format."""
    return timestamp(datetime.now(UTC))


def modified(file: Path) -> str:
    """Return the modification time of a file in Kaggle's format."""
    return timestamp(datetime.fromtimestamp(file.stat().st_mtime, UTC))
