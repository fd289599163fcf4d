"""Reads are retried after temporary failures, within their limits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
import requests

from fastkaggle_plus.kaggle_client.http import (
    Limits,
    is_transient,
    retry_after_s,
    retry_read,
    status_of,
)


def failure(
    status: int, headers: dict[str, str] | None = None, body: bytes = b""
) -> requests.HTTPError:
    answer = requests.Response()
    answer.status_code, answer._content = status, body
    answer.headers.update(headers or {})
    return requests.HTTPError(response=answer)


def failing(*failures: Exception):
    left = list(failures)

    def call() -> str:
        if left:
            raise left.pop(0)
        return "answer"

    return call


@pytest.mark.parametrize(
    "passing",
    [
        failure(429),
        failure(500),
        failure(503, {"Retry-After": "0"}),
        requests.ConnectionError(),
        requests.ReadTimeout(),
        requests.exceptions.ChunkedEncodingError(),
    ],
)
def test_temporary_failures_are_retried(passing):
    assert retry_read(failing(passing, passing)) == "answer"


@pytest.mark.parametrize(
    "final",
    [
        failure(400),
        failure(401),
        failure(403),
        failure(404),
        failure(501),
        requests.exceptions.SSLError(),
        ValueError(),
    ],
)
def test_permanent_failures_are_raised_unchanged(final):
    with pytest.raises(type(final)) as caught:
        retry_read(failing(final, RuntimeError("asked twice")))
    assert caught.value is final


def test_gives_up_after_its_tries():
    with pytest.raises(requests.HTTPError):
        retry_read(failing(*[failure(503)] * 3), Limits(tries=3))


def test_a_retry_after_beyond_the_deadline_is_raised():
    call = failing(failure(429, {"Retry-After": "3600"}), RuntimeError("asked twice"))
    with pytest.raises(requests.HTTPError):
        retry_read(call, Limits(deadline_s=60))


def test_retry_after_is_seconds_or_a_date():
    assert retry_after_s(failure(429)) is None
    assert retry_after_s(failure(429, {"Retry-After": "7"})) == 7
    assert retry_after_s(failure(429, {"Retry-After": "soon"})) is None
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    assert 90 < (retry_after_s(failure(429, {"Retry-After": soon})) or 0) <= 100


def test_an_error_code_in_the_body_counts():
    assert status_of(failure(200, body=b'{"code": 503, "message": "later"}')) == 503
    assert is_transient(failure(200, body=b'{"code": 503}')) and not is_transient(
        failure(200, body=b'{"code": 404}')
    )


def test_long_waits_are_announced(caplog, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    busy, down = failure(429, {"Retry-After": "7"}), failure(503, {"Retry-After": "90"})
    short = failure(429, {"Retry-After": "1"})
    assert retry_read(failing(busy, short, down)) == "answer"
    waits = [r.getMessage() for r in caplog.records if r.name.startswith("fastkaggle_plus")]
    assert waits == ["Kaggle: retrying in 7 s (429)", "Kaggle: retrying in 90 s (503)"]


def test_a_failure_that_is_not_tried_again_announces_nothing(caplog, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    for limits, error in ((Limits(tries=1), failure(503)), (Limits(), failure(404))):
        with pytest.raises(requests.HTTPError):
            retry_read(failing(error), limits)
    with pytest.raises(requests.HTTPError):
        retry_read(failing(failure(429, {"Retry-After": "900"})), Limits(deadline_s=5))
    assert not [r for r in caplog.records if r.name.startswith("fastkaggle_plus")]
