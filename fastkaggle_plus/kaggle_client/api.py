"""Call Kaggle: reads are retried, writes are sent once, lists are read page by page."""

import base64
import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import import_module
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import requests

from ..exceptions import KaggleError, NoCredentials
from . import errors, http
from .error_rules import NO_CREDENTIALS, Rule
from .http import FAILURES, Limits

if TYPE_CHECKING:
    from kaggle.api.kaggle_api_extended import KaggleApi
else:
    KaggleApi = Any  # for annotations: the import of kaggle is slow, and reads credentials

PAGE_SIZE = 100
MAX_PAGES = 1000  # a longer list has no end


@dataclass(frozen=True)
class Service:
    """One of Kaggle's services: how it is called, and what its refusals mean."""

    client: str  # in kagglesdk's client, like "datasets.dataset_api_client"
    types: str  # in kagglesdk, the module with its requests
    rules: tuple[Rule, ...]  # what its refusals mean
    page: Callable[[str], str]  # name -> its page for people
    # Adds to an error what the service knows about its cause; gets the subject, error and verb.
    add_details: Callable[[Any, KaggleError, str], KaggleError] | None = None


@dataclass(frozen=True)
class Subject:
    """One thing at Kaggle, and the calls about it."""

    client: Any
    service: Service
    name: str  # for messages: "titanic", "owner/slug"
    fields: dict[str, Any] = field(default_factory=dict)  # that name it in every request

    def call(self, method: str, *, doing: str = "read", **fields: Any) -> Any:
        """Return the answer to a read, retried after temporary failures.

        `method` is named as in kagglesdk ("list_submissions"), `doing` is the verb for messages.
        """
        with self.explained(doing):
            return http.retry_read(lambda: self.send(method, **fields), limits_of(self.client))

    def send(self, method: str, **fields: Any) -> Any:
        """Send one request once and return the answer. Raises what requests and kaggle raise."""
        request = self._request(method, {**self.fields, **fields})
        with connection(self.client) as kaggle:
            return getattr(attrgetter(self.service.client)(kaggle), method)(request)

    def pages(self, method: str, *, doing: str) -> Iterator[Any]:
        """Yield the answer of every page of a list, as the official client asks for them."""
        fields: dict[str, Any] = {"page_size": PAGE_SIZE}
        if hasattr(self._request(method, {}), "page"):
            fields["page"] = 1
        tokens = set[str]()
        while len(tokens) < MAX_PAGES:
            answer = self.call(method, doing=doing, **fields)
            yield answer
            token = answer.next_page_token
            if not token or token in tokens:
                return
            tokens.add(token)
            fields = {"page_size": PAGE_SIZE, "page_token": token}

    @contextlib.contextmanager
    def explained(self, doing: str) -> Iterator[None]:
        """Turn failures of requests and kaggle into our exceptions, without keys and tracebacks."""
        client, secrets = self.client, secrets_of(self.client)
        try:
            yield
        except FAILURES as e:
            words = {"name": self.name, "doing": doing, "url": self.service.page(self.name)}
            words["who"] = f"the {'token' if client.config_values.get('token') else 'key'}"
            if user := user_of(client):
                words["who"] += f" of user {user!r}"
            rules, local = self.service.rules, is_local(client)
            error = errors.explain(e, rules, words, secrets=secrets, local=local)
            if error.status == 401 and not secrets:
                error = NoCredentials(NO_CREDENTIALS)
            elif self.service.add_details:
                with contextlib.suppress(*FAILURES):
                    error = self.service.add_details(self, error, doing)
            raise error from None

    def _request(self, method: str, values: dict[str, Any]) -> Any:
        """Return kagglesdk's request object of a method, filled with `values`."""
        types = import_module(f"kagglesdk.{self.service.types}")
        camel_case = "".join(word.capitalize() for word in method.split("_"))
        request = getattr(types, f"Api{camel_case}Request")()
        for name, value in values.items():
            if not hasattr(request, name):
                raise RuntimeError(f"{type(request).__name__} has no field {name!r}")
            setattr(request, name, value)
        return request


@contextlib.contextmanager
def connection(client: Any) -> Iterator[Any]:
    """Open kaggle's low-level client, with a time limit on every request."""
    with client.build_kaggle_client() as kaggle:
        # Not for our own Client, which did it; kaggle itself sets no time limit.
        if not hasattr(client, "timeout_s"):
            session, timeout_s = kaggle.http_client()._session, limits_of(client).timeout_s
            http.guard(session, timeout_s=timeout_s, stay_local=is_local(client))
        yield kaggle


def limits_of(client: Any) -> Limits:
    """Return the time limits of our Client; the defaults for any other KaggleApi."""
    return Limits(**{name: getattr(client, name, value) for name, value in vars(Limits()).items()})


def storage_session(client: Any) -> requests.Session:
    """Return a session for signed URLs: without credentials, not even those in ~/.netrc."""
    session = requests.Session()
    session.auth = lambda request: request
    return http.guard(session, timeout_s=limits_of(client).timeout_s, stay_local=is_local(client))


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
