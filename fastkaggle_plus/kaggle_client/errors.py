"""What the service said -> our exception, with a next step. One row per cause; the first row that fits wins."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import requests

from .. import environment
from ..exceptions import (
    BadCredentials,
    DailyLimitReached,
    DeadlinePassed,
    KaggleError,
    KaggleUnavailable,
    NoCredentials,
    NotFound,
    PermissionDenied,
    RateLimited,
    RulesNotAccepted,
    UploadFailed,
)
from .retry import retry_after_s, status_of

NO_CREDENTIALS = (
    "No Kaggle credentials found. Give them in one of three ways: (1) an API token from https://www.kaggle.com/settings/api in the "
    "environment variable KAGGLE_API_TOKEN or the file ~/.kaggle/access_token; (2) kaggle.json with your user name and key in ~/.kaggle/, "
    "or both in KAGGLE_USERNAME and KAGGLE_KEY; (3) `kaggle auth login` in a terminal. In a Kaggle notebook, add the secrets "
    "`kaggle_username` and `kaggle_key` (Add-ons > Secrets)."
)
RULES = "The rules of {slug} are not accepted. Accept them at {url}/rules, then call again."
UNKNOWN = "Kaggle knows no competition {slug!r} that you may read: the name is mistyped, or it is private and you were not invited."
_SHOWN = 500  # characters of the service's words
LIMIT = "No submissions left today for {slug}. The limit resets at 00:00 UTC, in {hours}."


@dataclass(frozen=True)
class Cause:
    "One reason for a refusal: which answer means it, and what to tell."

    statuses: tuple[int, ...]
    words: str  # a pattern in the service's words, "" = any
    error: type[KaggleError]
    message: str


CAUSES = (
    Cause(
        (401,),
        "",
        BadCredentials,
        "Kaggle refused {who}. Make a new token or key at https://www.kaggle.com/settings/api and put it where the old one was; "
        "a stale KAGGLE_API_TOKEN or ~/.kaggle/access_token wins over kaggle.json.",
    ),
    Cause((400, 403), r"\brules?\b", RulesNotAccepted, RULES),
    Cause(
        (400, 403),
        r"phone|verif",
        PermissionDenied,
        "{slug} asks for a verified account. Verify your phone number at https://www.kaggle.com/settings, then call again.",
    ),
    Cause(
        (400, 403),
        r"(daily|maximum|allotted|too many|limit|quota)\D*submi|submi\w*\D*(limit|quota|allowance|remaining|per day|left)",
        DailyLimitReached,
        LIMIT,
    ),
    Cause(
        (400, 403),
        r"deadline|has (ended|closed|finished)|is closed|no longer accept|submissions? (are|is) (disabled|closed)",
        DeadlinePassed,
        "{slug} takes no more submissions: its deadline has passed. See {url} for whether late submissions are open.",
    ),
    Cause(
        (400, 403),
        r"merge|\bteam\b.*\b(left|member|changed|removed)|(left|member of|removed from)\D*\bteam",
        PermissionDenied,
        "Your team in {slug} has changed. After a merge, submit as a member of the new team: {url}/team.",
    ),
    Cause(
        (400,),
        r"(notebook|kernel|code)s?[- ](only|competition|submission)|submit.*(notebook|kernel)",
        PermissionDenied,
        "{slug} is a code competition: it takes notebooks, not files. Submit from a notebook version at {url}.",
    ),
    Cause(
        (400,),
        r"token|blob|upload",
        UploadFailed,
        "Kaggle no longer knows the uploaded file: upload sessions expire. Call submit again.",
    ),
    Cause(
        (400,),
        "",
        KaggleError,
        "Kaggle calls the request to {doing} {slug} malformed. Check the competition's name, the file's name and the description "
        "(at most 500 characters).",
    ),
    Cause(
        (403,),
        r"competitions\.participate",
        PermissionDenied,
        "You may not submit to {slug}: it is private, or you have not joined it. Join and accept the rules at {url}/rules.",
    ),
    Cause((403,), r"competitions\.\w+", NotFound, UNKNOWN),
    Cause(
        (404,),
        r"\bfile\b",
        NotFound,
        "{slug} has no such file. Its files are listed at {url}/data.",
    ),
    Cause(
        (404,),
        r"\bsubmission\b",
        NotFound,
        "{slug} has no such submission of yours. See {url}/submissions.",
    ),
    Cause((404,), "", NotFound, UNKNOWN),
    Cause(
        (403,),
        "",
        PermissionDenied,
        "Kaggle does not let you {doing} {slug}. It may be private, or for invited users: open {url} in a browser with this account.",
    ),
    Cause(
        (429,),
        "",
        RateLimited,
        "Too many requests: Kaggle asks to wait {wait}. Downloads are limited most: fetch once and keep the folder.",
    ),
)


def explain(
    e: Exception,  # what requests or kaggle raised
    *,
    slug: str = "",  # the competition it was about
    doing: str = "",  # what was tried, a verb: "download", "submit to"
    who: str = "your credentials",  # which credentials, by name and never by value
    secrets: Iterable[str] = (),  # must not show up in the message
    local: bool = False,  # the endpoint is a sandbox
    causes: Iterable[Cause] = CAUSES,  # what its answers mean
    url: str = "",  # its page for people; "" = that of a competition
) -> KaggleError:
    "Return the exception that tells what went wrong and what to do next."
    status, words = status_of(e), scrub(said(e), secrets)[:_SHOWN]
    error: type[KaggleError] = KaggleUnavailable
    if status is None or not isinstance(e, requests.HTTPError):
        text = _no_answer(e, scrub(str(e), secrets)[:200], local=local)
    elif status >= 500:
        text = f"Kaggle answered {status} when asked to {doing} {slug}. The service has a problem: try again later."
    else:
        cause = next(
            (
                c
                for c in causes
                if status in c.statuses and re.search(c.words, words, re.IGNORECASE)
            ),
            None,
        )
        error = cause.error if cause else KaggleError
        text = (
            cause.message
            if cause
            else f"Kaggle answered {status} to the request to {{doing}} {{slug}}."
        )
        text = text.format(
            slug=slug or "the competition",
            url=url or page(slug),
            doing=doing or "use",
            who=who,
            wait=_wait(e),
            hours=_until_midnight(),
        )
    if words:
        text += f" Kaggle said: {words}"
    return error(scrub(text, secrets), status=status, said=words)


def page(slug: str) -> str:
    "Return a competition's page for people, which is on kaggle.com even when the API is elsewhere."
    return f"https://www.kaggle.com/competitions/{slug}"


def said(e: Exception) -> str:
    "Return the service's own words, without the HTTP around them."
    answer = getattr(e, "response", None)
    if answer is None:
        return ""
    try:
        body = answer.json()
    except (ValueError, RuntimeError, requests.RequestException):
        return ""
    inner = body.get("error") if isinstance(body, dict) else None
    words = (body.get("message") if isinstance(body, dict) else "") or (
        inner.get("message") if isinstance(inner, dict) else inner
    )
    return str(words or "").strip()


def scrub(text: str, secrets: Iterable[str]) -> str:
    "Return `text` with every secret blanked."
    for secret in secrets:
        text = text.replace(secret, "***") if secret else text
    return text


def near_names(names: list[str]) -> str:
    "Return the sentence that offers near matches."
    return f" Did you mean {' or '.join(map(repr, names))}?" if names else ""


def limits_text(limits: Any) -> str:
    "Return the sentence on how many submissions are left, out of ApiSubmissionLimits."
    total = (
        " The limit is on the whole competition, so it does not reset."
        if limits.limited_by_total
        else ""
    )
    return f" You sent {limits.num_today} today and {limits.num_total} in total; {limits.num_allowed_now} allowed now.{total}"


def limit(slug: str) -> str:
    "Return the sentence on the daily limit."
    return LIMIT.format(slug=slug, hours=_until_midnight())


def no_credentials() -> NoCredentials:
    "Return the exception for a missing key or token."
    return NoCredentials(NO_CREDENTIALS)


def _no_answer(e: Exception, words: str, *, local: bool) -> str:
    kind = type(e).__name__
    if isinstance(e, requests.exceptions.SSLError):
        return (
            "The connection to Kaggle could not be verified (TLS). Behind a proxy that inspects traffic, point REQUESTS_CA_BUNDLE "
            "at its certificate; check this machine's clock."
        )
    if isinstance(e, requests.exceptions.ProxyError):
        return "The proxy did not let the request through. Check http_proxy and https_proxy."
    if not isinstance(
        e, (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)
    ):
        return (
            f"The answer could not be read as Kaggle's ({kind}: {words}). Something in between may have replaced it: "
            "a proxy, or a login page of the network."
        )
    what = (
        "did not answer in time"
        if isinstance(e, requests.Timeout)
        else "could not be reached, or hung up"
    )
    if local:
        return f"The sandbox {what} ({kind}). Is it running? Start it with `fkp sandbox serve`."
    if environment.iskaggle:
        return f"Kaggle {what} ({kind}). Is this notebook's internet on (Settings > Internet)?"
    return f"Kaggle {what} ({kind}). Check the network, then call again: nothing that worked is repeated."


def _wait(e: Exception) -> str:
    pause = retry_after_s(e)
    if pause is None:
        return "without saying how long; give it some minutes"
    return f"{pause:.0f} s, until {datetime.now(UTC) + timedelta(seconds=pause):%H:%M:%S} UTC"


def _until_midnight() -> str:
    now = datetime.now(UTC)
    left_s = 86_400 - (now.hour * 3600 + now.minute * 60 + now.second)
    return f"{left_s // 3600} h {left_s % 3600 // 60} min"
