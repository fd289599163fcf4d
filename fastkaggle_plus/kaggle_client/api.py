"""Call Kaggle: reads are retried, writes are sent once, lists are read page by page."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module
from operator import attrgetter
from typing import Any

import requests

from ..exceptions import KaggleError, NoCredentials
from . import errors, http
from .error_rules import NO_CREDENTIALS, Rule
from .http import FAILURES, Limits

PAGE_SIZE = 100
MAX_PAGES = 1000  # a longer list has no end


@dataclass(frozen=True)
class Service:
    """One of Kaggle's services: how it is called, and what its refusals mean."""

    client: str  # in kagglesdk's client, like "datasets.dataset_api_client"
    types: str  # in kagglesdk, the module with its requests
    rules: tuple[Rule, ...]  # what its refusals mean
    page: Callable[[str], str]  # name -> its page for people
    # Adds to an error what the service knows about its cause; gets (client, error, name, doing).
    add_details: Callable[[Any, KaggleError, str, str], KaggleError] | None = None


def call(
    client: Any,
    service: Service,
    method: str,  # as in kagglesdk: "list_submissions"
    request: dict[str, Any],  # the fields of its request
    *,
    name: str,  # what it is about, for messages: "titanic", "owner/slug"
    doing: str = "read",  # the verb for messages
) -> Any:
    """Return the answer to a read, retried after temporary failures."""
    with explained(client, service, name=name, doing=doing):
        return http.retry_read(lambda: send(client, service, method, request), limits_of(client))


def send(client: Any, service: Service, method: str, request: dict[str, Any]) -> Any:
    """Send one request once and return the answer. Raises what requests and kaggle raise."""
    message = _message(service, method, request)
    with connection(client) as kaggle:
        return getattr(attrgetter(service.client)(kaggle), method)(message)


def pages(
    client: Any, service: Service, method: str, request: dict[str, Any], *, name: str, doing: str
) -> Iterator[Any]:
    """Yield the answer of every page of a list, as the official client asks for them."""
    request = {**request, "page_size": PAGE_SIZE}
    if hasattr(_message(service, method, {}), "page"):
        request["page"] = 1
    tokens = set[str]()
    while len(tokens) < MAX_PAGES:
        answer = call(client, service, method, request, name=name, doing=doing)
        yield answer
        token = answer.next_page_token
        if not token or token in tokens:
            return
        tokens.add(token)
        request["page_token"] = token
        request.pop("page", None)


@contextlib.contextmanager
def connection(client: Any) -> Iterator[Any]:
    """Open kaggle's low-level client, with a time limit on every request."""
    with client.build_kaggle_client() as kaggle:
        # Not for our own Client, which did it; kaggle itself sets no time limit.
        if not hasattr(client, "timeout_s"):
            http.guard(
                kaggle.http_client()._session,
                timeout_s=limits_of(client).timeout_s,
                stay_local=is_local(client),
            )
        yield kaggle


@contextlib.contextmanager
def explained(client: Any, service: Service, *, name: str, doing: str) -> Iterator[None]:
    """Turn failures of requests and kaggle into our exceptions, without keys and tracebacks."""
    try:
        yield
    except FAILURES as e:
        secrets = secrets_of(client)
        error = errors.explain(
            e,
            rules=service.rules,
            name=name,
            doing=doing,
            url=service.page(name),
            who=_who(client),
            secrets=secrets,
            local=is_local(client),
        )
        if error.status == 401 and not secrets:
            error = NoCredentials(NO_CREDENTIALS)
        elif service.add_details:
            with contextlib.suppress(*FAILURES):
                error = service.add_details(client, error, name, doing)
        raise error from None


def limits_of(client: Any) -> Limits:
    """Return the time limits of our Client; the defaults for any other KaggleApi."""
    default = Limits()
    return Limits(
        timeout_s=getattr(client, "timeout_s", default.timeout_s),
        tries=getattr(client, "tries", default.tries),
        deadline_s=getattr(client, "deadline_s", default.deadline_s),
    )


def storage_session(client: Any) -> requests.Session:
    """Return a session for the signed URLs that `client` receives."""
    return http.storage_session(timeout_s=limits_of(client).timeout_s, stay_local=is_local(client))


def is_local(client: Any) -> bool:
    """Say whether `client` talks to a sandbox."""
    return bool(getattr(client, "local", "--local" in client.args))


def origin(client: Any) -> str:
    """Return a name of the service for journals: a sandbox is the same one on another port."""
    if is_local(client):
        return "sandbox"
    return getattr(client, "endpoint", "") or "https://api.kaggle.com"


def user_of(client: Any) -> str:
    """Return the user's name, as in the handles of the user's datasets and notebooks."""
    return str(client.config_values.get("username") or "")


def secrets_of(client: Any) -> list[str]:
    """Return what no message may show: the client's key, token, and their encoded form."""
    values = client.config_values
    key, token = (str(values.get(name) or "") for name in ("key", "token"))
    encoded = base64.b64encode(f"{user_of(client)}:{key}".encode()).decode() if key else ""
    return [secret for secret in (key, token, encoded) if secret]


def to_float(text: str | None) -> float | None:
    """Return a score in an answer as a number, None without one."""
    try:
        return float(text) if text else None
    except ValueError:
        return None


def to_iso(moment: datetime | None) -> str:
    """Return a date in an answer, which is in UTC, as ISO text; '' without one."""
    if not moment:
        return ""
    return (moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)).isoformat()


def _message(service: Service, method: str, values: dict[str, Any]) -> Any:
    """Return kagglesdk's request object of a method, filled with `values`."""
    types = import_module(f"kagglesdk.{service.types}")
    camel_case = "".join(word.capitalize() for word in method.split("_"))
    message = getattr(types, f"Api{camel_case}Request")()
    for field, value in values.items():
        if not hasattr(message, field):
            raise RuntimeError(f"{type(message).__name__} has no field {field!r}")
        setattr(message, field, value)
    return message


def _who(client: Any) -> str:
    kind = "token" if client.config_values.get("token") else "key"
    user = user_of(client)
    return f"the {kind}{f' of user {user!r}' if user else ''}"
