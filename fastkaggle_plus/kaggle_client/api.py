"""One call to Kaggle's competition service: retried if it is a read, and every failure explained."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Callable, Iterable, Iterator
from difflib import get_close_matches
from operator import attrgetter
from typing import Any

import requests

from ..exceptions import (
    DailyLimitReached,
    KaggleError,
    NoCredentials,
    NotFound,
    PermissionDenied,
    RulesNotAccepted,
)
from . import errors, http, retry

PAGE_SIZE = 100
MOST_PAGES = 1000  # a list that goes on after these has no end


def slug_of(competition: Any) -> str:
    "Return the slug of a Competition, a slug, or a competition's address."
    slug = str(getattr(competition, "slug", competition)).strip().rstrip("/").split("/")[-1]
    if not slug:
        raise NotFound(
            "No competition was named. Give its slug, the last part of its address on kaggle.com."
        )
    return slug


def read(client: Any, method: str, request: Any, *, slug: str = "", doing: str = "read") -> Any:
    "Return the answer to a call that changes nothing, retried while its failure passes."
    with explained(client, slug=slug, doing=doing):
        return retry.read(
            lambda: send(client, method, request),
            tries=getattr(client, "tries", 7),
            deadline_s=getattr(client, "deadline_s", 300.0),
        )


def pages(
    client: Any, method: str, request: Any, field: str, *, slug: str, doing: str
) -> Iterator[Any]:
    "Yield the items of every page, as the official client asks for them."
    request.page_size = PAGE_SIZE
    if hasattr(request, "page"):
        request.page = 1
    seen = set[str]()
    while len(seen) < MOST_PAGES:
        answer = read(client, method, request, slug=slug, doing=doing)
        yield from getattr(answer, field) or []
        token = answer.next_page_token
        if not token or token in seen:
            return
        seen.add(token)
        request.page_token = token
        if hasattr(request, "page"):
            request.page = None


def transfers(client: Any) -> requests.Session:
    "Return a session for the signed URLs that `client` was handed."
    return http.transfers(timeout_s=getattr(client, "timeout_s", 60.0), stay_local=is_local(client))


def is_local(client: Any) -> bool:
    "Say whether `client` talks to a sandbox."
    return bool(getattr(client, "local", "--local" in client.args))


def origin(client: Any) -> str:
    "Return what names the service for a journal or a marker: one sandbox restarts on another port and stays the same."
    return (
        "sandbox"
        if is_local(client)
        else (getattr(client, "endpoint", "") or "https://api.kaggle.com")
    )


@contextlib.contextmanager
def explained(
    client: Any,
    *,
    slug: str = "",
    doing: str = "",
    causes: Iterable[errors.Cause] = errors.CAUSES,
    url: str = "",
    facts: Callable[[Any, KaggleError, str, str], KaggleError] | None = None,
) -> Iterator[None]:
    """Turn what requests and kaggle raise into our exceptions; their tracebacks, which may quote a key, are dropped.

    Another service than that of competitions brings its own `causes`, page for people and `facts` to add.
    """
    try:
        yield
    except (requests.RequestException, ValueError, TypeError, KeyError, AttributeError) as e:
        error = errors.explain(
            e,
            slug=slug,
            doing=doing,
            who=_who(client),
            secrets=secrets_of(client),
            local=is_local(client),
            causes=causes,
            url=url,
        )
        if error.status == 401 and not secrets_of(client):
            error = errors.no_credentials()
        raise (facts or _with_facts)(client, error, slug, doing) from None


def send(
    client: Any, method: str, request: Any, *, api: str = "competitions.competition_api_client"
) -> Any:
    "Return the answer to one call of kaggle's `api`, made once; failures come as they are."
    with client.build_kaggle_client() as kaggle:
        if not hasattr(
            client, "timeout_s"
        ):  # a KaggleApi the user made: kaggle itself sets no time limit
            http.guard(kaggle.http_client()._session, timeout_s=60.0, stay_local=is_local(client))
        return getattr(attrgetter(api)(kaggle), method)(request)


def _with_facts(client: Any, error: KaggleError, slug: str, doing: str) -> KaggleError:
    "Return `error` with what the service tells about its cause: near names, numbers left, rules accepted or not."
    if not slug or isinstance(error, NoCredentials):
        return error
    with contextlib.suppress(
        requests.RequestException, ValueError, TypeError, KeyError, AttributeError
    ):
        if isinstance(error, PermissionDenied) and "competitions.participate" in error.said:
            return _why_not_allowed(client, error, slug)
        if isinstance(error, NotFound) and "no competition" in str(error):
            return _again(error, errors.near_names(_near(client, slug)))
        if isinstance(error, DailyLimitReached):
            return _again(error, errors.limits_text(_limits(client, slug)))
        if (
            error.status == 400
            and doing == "submit to"
            and (limits := _limits(client, slug)).num_allowed_now == 0
        ):
            return DailyLimitReached(
                errors.limit(slug) + errors.limits_text(limits), status=400, said=error.said
            )
    return error


def _why_not_allowed(client: Any, error: KaggleError, slug: str) -> KaggleError:
    from kagglesdk.competitions.types.competition_api_service import ApiGetCompetitionRequest

    request = ApiGetCompetitionRequest()
    request.competition_name = slug
    try:
        competition = send(client, "get_competition", request)
    except requests.HTTPError as e:
        if retry.status_of(e) in (403, 404):
            near = errors.near_names(_near(client, slug))
            return NotFound(
                errors.UNKNOWN.format(slug=slug) + near, status=error.status, said=error.said
            )
        return error
    if not competition.user_has_entered:
        return RulesNotAccepted(
            errors.RULES.format(slug=slug, url=errors.page(slug)),
            status=error.status,
            said=error.said,
        )
    return error


def _limits(client: Any, slug: str) -> Any:
    from kagglesdk.competitions.types.competition_api_service import ApiGetSubmissionLimitsRequest

    request = ApiGetSubmissionLimitsRequest()
    request.competition_name = slug
    return send(client, "get_submission_limits", request)


def _near(client: Any, slug: str) -> list[str]:
    "Return slugs like this one, out of what the service's search finds."
    from kagglesdk.competitions.types.competition_api_service import ApiListCompetitionsRequest

    found: set[str] = set()
    for words in (slug.replace("-", " "), slug[:4], ""):
        request = ApiListCompetitionsRequest()
        request.page = 1
        if words:
            request.search = words
        found |= {
            slug_of(c.ref) for c in send(client, "list_competitions", request).competitions if c.ref
        }
        if near := get_close_matches(slug, sorted(found), n=3, cutoff=0.6):
            return near
    return []


def _again(error: KaggleError, more: str) -> KaggleError:
    return type(error)(str(error) + more, status=error.status, said=error.said)


def secrets_of(client: Any) -> list[str]:
    "Return what must never be shown of this client: its key, its token, and how they travel."
    values = client.config_values
    user, key, token = (str(values.get(name) or "") for name in ("username", "key", "token"))
    return [
        s
        for s in (key, token, base64.b64encode(f"{user}:{key}".encode()).decode() if key else "")
        if s
    ]


def _who(client: Any) -> str:
    values = client.config_values
    user = values.get("username")
    return f"the {'token' if values.get('token') else 'key'}{f' of user {user!r}' if user else ''}"
