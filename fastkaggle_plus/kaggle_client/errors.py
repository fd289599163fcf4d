"""Turn a failed call to Kaggle into our exception with a next step. The texts: error_rules.py."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import requests

from .. import environment
from ..exceptions import KaggleError, KaggleUnavailable
from .error_rules import Rule
from .http import LOST_CONNECTION, retry_after_s, status_of

_MAX_WORDS = 500  # characters shown of the service's own message
_OTHER_ANSWER = "Kaggle answered {status} when asked to {doing} {name}."


def explain(
    e: Exception,  # from requests or kaggle
    rules: Iterable[Rule],  # of the service; the first one that fits is used
    words: dict[str, str],  # name, doing, url, who: fill in the text of a rule
    *,
    secrets: Iterable[str],  # never shown in the message
    local: bool,  # the endpoint is a sandbox
) -> KaggleError:
    """Return the exception that says what failed and what to do next."""
    status, said = status_of(e), scrub(service_message(e), secrets)[:_MAX_WORDS]
    error: type[KaggleError] = KaggleUnavailable
    if status is None or not isinstance(e, requests.HTTPError):
        text = _no_answer(e, scrub(str(e), secrets)[:200], local=local)
    elif status >= 500:
        text = _OTHER_ANSWER + " The service has a problem: try again later."
    else:
        rule = find_rule(rules, status, said)
        error, text = (rule.error, rule.message) if rule else (KaggleError, _OTHER_ANSWER)
    if isinstance(e, requests.HTTPError) and status is not None:
        text = text.format(**words, status=status, wait=_wait(e), hours=until_midnight())
    if said:
        text += f" Kaggle said: {said}"
    return error(scrub(text, secrets), status=status, said=said)


def find_rule(rules: Iterable[Rule], status: int, words: str) -> Rule | None:
    """Return the first rule for this status and message."""
    for rule in rules:
        if status in rule.statuses and re.search(rule.words, words, re.IGNORECASE):
            return rule
    return None


def service_message(e: Exception) -> str:
    """Return the message in the body of a failed answer."""
    answer = getattr(e, "response", None)
    if answer is None:
        return ""
    try:
        body = answer.json()
    except (ValueError, RuntimeError, requests.RequestException):
        return ""
    if not isinstance(body, dict):
        return ""
    inner = body.get("error")
    words = body.get("message") or (inner.get("message") if isinstance(inner, dict) else inner)
    return str(words or "").strip()


def scrub(text: str, secrets: Iterable[str]) -> str:
    """Return `text` with every secret replaced by ***."""
    for secret in filter(None, secrets):
        text = text.replace(secret, "***")
    return text


def extended(error: KaggleError, more: str) -> KaggleError:
    """Return the same error with more text."""
    return type(error)(str(error) + more, status=error.status, said=error.said)


def until_midnight() -> str:
    """Return the time left until 00:00 UTC, when daily limits are reset."""
    left_s = 86_400 - int(datetime.now(UTC).timestamp()) % 86_400
    return f"{left_s // 3600} h {left_s % 3600 // 60} min"


def _no_answer(e: Exception, words: str, *, local: bool) -> str:
    kind = type(e).__name__
    if isinstance(e, requests.exceptions.SSLError):
        return (
            "The connection to Kaggle could not be verified (TLS). Behind a proxy that inspects "
            "traffic, set REQUESTS_CA_BUNDLE to its certificate; check this machine's clock."
        )
    if isinstance(e, requests.exceptions.ProxyError):
        return "The proxy did not let the request through. Check http_proxy and https_proxy."
    if not isinstance(e, LOST_CONNECTION):
        return (
            f"The answer could not be read as Kaggle's ({kind}: {words}). A proxy or a login page "
            "of the network may have replaced it."
        )
    timed_out = isinstance(e, requests.Timeout)
    lost = "could not be reached, or closed the connection"
    what = "did not answer in time" if timed_out else lost
    if local:
        return f"The sandbox {what} ({kind}). Is it running? Start it with `fkp sandbox serve`."
    if environment.iskaggle:
        return f"Kaggle {what} ({kind}). Is this notebook's internet on (Settings > Internet)?"
    return f"Kaggle {what} ({kind}). Check the network, then call again: finished work is kept."


def _wait(e: Exception) -> str:
    pause = retry_after_s(e)
    if pause is None:
        return "without saying how long; wait some minutes"
    return f"{pause:.0f} s, until {datetime.now(UTC) + timedelta(seconds=pause):%H:%M:%S} UTC"
