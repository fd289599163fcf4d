"""HTTP with a time limit on every request and, in a rehearsal, no way off this machine."""

from __future__ import annotations

from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.utils import prepend_scheme_if_needed, select_proxy

from ..environment import assert_loopback, is_rehearsal

CONNECT_TIMEOUT_S = 15.0


class Guarded(HTTPAdapter):
    "Send with a timeout; refuse any address, redirect or proxy off this machine where `stay_local` or a rehearsal says so."

    def __init__(
        self,
        *,
        timeout_s: float,  # longest silence while an answer is awaited or read
        stay_local: bool,  # the endpoint is a sandbox
    ):
        self.timeout_s, self.stay_local = timeout_s, stay_local
        super().__init__()

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Any = None,
    ) -> requests.Response:
        if self.stay_local or is_rehearsal():
            assert_loopback(request.url or "")
            if proxy := select_proxy(request.url or "", proxies):
                assert_loopback(prepend_scheme_if_needed(proxy, "http"))
        return super().send(
            request,
            stream=stream,
            timeout=timeout or (CONNECT_TIMEOUT_S, self.timeout_s),
            verify=verify,
            cert=cert,
            proxies=proxies,
        )


def guard(session: requests.Session, *, timeout_s: float, stay_local: bool) -> requests.Session:
    "Route everything `session` sends through `Guarded`."
    for prefix in ("http://", "https://"):
        session.mount(prefix, Guarded(timeout_s=timeout_s, stay_local=stay_local))
    return session


def transfers(*, timeout_s: float, stay_local: bool) -> requests.Session:
    "Return a session for signed URLs: no credentials, also none out of ~/.netrc; proxies as the environment says."
    session = requests.Session()
    session.auth = lambda request: request
    return guard(session, timeout_s=timeout_s, stay_local=stay_local)
