"""What a service of the sandbox is: methods by their RPC names, answers in pages, refusals with a status."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.routing import BaseRoute

Fields = dict[str, Any]
PAGE = 20


class Refused(Exception):
    "A request the service refuses."

    def __init__(self, status: int, message: str):
        super().__init__(message)
        self.status = status


class Service:
    "Base of the services: the method `ListThings` of the protocol is `rpc_list_things(request, fields)`."

    def method(self, name: str) -> Callable[[Request, Fields], Any] | None:
        "Return the method called `name` in the protocol, or None."
        snake = "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")
        return getattr(self, f"rpc_{snake}", None)

    @property
    def methods(self) -> list[str]:
        "The names of its methods in the protocol."
        return [
            "".join(part.title() for part in name.split("_")[1:])
            for name in dir(type(self))
            if name.startswith("rpc_")
        ]

    def routes(self) -> Sequence[BaseRoute]:
        "Return what is served beside the RPC methods."
        return ()


def text(f: Fields, name: str, default: str = "") -> str:
    "Return a field that is text; what is of another type is refused before it is kept."
    value = f.get(name)
    if value is None:
        return default
    if not isinstance(value, str):
        raise Refused(400, f"{name} = {value!r} is not text.")
    return value


def texts(f: Fields, name: str) -> list[str]:
    "Return a field that is a list of texts."
    return [text({name: value}, name) for value in f.get(name) or []]


def page(name: str, rows: list[Fields], f: Fields) -> Fields:
    "Cut one page out of all rows: by token, or by number."
    size = max(1, min(int(f.get("pageSize") or PAGE), 1000))
    token = f.get("pageToken") or ""
    if token and not str(token).isdecimal():
        raise Refused(400, f"The page token {token!r} is not one of ours.")
    start = int(token) if token else (max(1, int(f.get("page") or 1)) - 1) * size
    end = start + size
    return {name: rows[start:end], "nextPageToken": str(end) if end < len(rows) else ""}


def stamp(when: datetime) -> str:
    "Return a moment as Kaggle writes it."
    return when.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def changed(file: Path) -> str:
    "Return when a file was last changed, as Kaggle writes it."
    return stamp(datetime.fromtimestamp(file.stat().st_mtime, UTC))
