"""Rehearsals: clients of Kaggle are connected to this machine, and to nothing else."""

import contextlib
import ipaddress
import os
import sys
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from ..exceptions import SandboxError
from .user import api_environment
from .variables import restore

_REHEARSAL = (
    "KAGGLE_API_ENVIRONMENT",
    "KAGGLE_API_ENDPOINT",
    "http_proxy",
    "HTTP_PROXY",
    "no_proxy",
    "NO_PROXY",
    "all_proxy",
    "ALL_PROXY",
    "KAGGLE_USERNAME",
    "KAGGLE_KEY",
    "KAGGLE_API_TOKEN",
    "KAGGLE_API_V1_TOKEN",
    "FKP_REHEARSAL",
)
_change = threading.RLock()  # guards the next two, and the variables of a rehearsal
_rehearsals: list[dict[str, str]] = []  # variables of the open rehearsals, the newest last
_outside: dict[str, Any] = {}  # while one is open: what to restore after the last one


def is_rehearsal() -> bool:
    """Say whether this process talks to the sandbox (see `rehearsing`)."""
    return bool(os.environ.get("FKP_REHEARSAL"))


def is_loopback(host: str) -> bool:
    """Say whether a host is this machine by a name that leads no other machine to it.

    Names except localhost are not looked up: the question itself would leave this machine.
    """
    return host == "localhost" or (_is_ip(host) and ipaddress.ip_address(host).is_loopback)


def assert_loopback(url: str) -> str:
    """Return `url` if its host is this machine; raise SandboxError otherwise."""
    if not is_loopback(urlsplit(url).hostname or ""):
        raise SandboxError(
            f"A rehearsal must stay on this machine; expected the host localhost or 127.0.0.1, "
            f"got {url!r}. Use `--live` for the real Kaggle."
        )
    return url


def assert_sandbox_variables() -> None:
    """Raise SandboxError unless KAGGLE_API_ENDPOINT names the address that requests go to.

    `rehearsing` and `fkp sandbox serve` give it. Another program on that port, such as a proxy,
    must not get the credentials in the environment.
    """
    from urllib.request import getproxies, proxy_bypass  # as requests chooses; slow to import

    proxy = "" if proxy_bypass("localhost") else getproxies().get("http")
    address = (proxy or "http://127.0.0.1:80").rstrip("/")
    expected = os.environ.get("KAGGLE_API_ENDPOINT", "").rstrip("/")
    if expected != address:
        raise SandboxError(
            f"Nothing was sent: KAGGLE_API_ENVIRONMENT=LOCALHOST sends requests to {address}; "
            f"expected a sandbox there, with KAGGLE_API_ENDPOINT={address}, got {expected!r}. Set "
            "all variables that `fkp sandbox serve` prints, or unset KAGGLE_API_ENVIRONMENT."
        )


def points_to_sandbox() -> bool:
    """Say whether Kaggle's clients in this process use a sandbox, not the real Kaggle."""
    return is_rehearsal() or api_environment() == "LOCALHOST"


@contextlib.contextmanager
def rehearsing(
    url: str,  # the sandbox, http://127.0.0.1:PORT
    *,
    user: str,  # the sandbox's user name
    key: str,  # the sandbox's key; never use those of a real account
    token: str = "",  # the sandbox's token; with it, clients ignore the real one in ~/.kaggle
) -> Iterator[None]:
    """Connect every Kaggle client in this process to a sandbox, and to nothing else.

    The clients have no variable for an endpoint, so the sandbox acts as the proxy of
    http://localhost. Real credentials in the environment are hidden until the block ends. Of
    several open rehearsals, also in other threads, the newest is in force; the last one that ends
    restores the environment.
    """
    assert_loopback(url)
    variables = {
        "KAGGLE_API_ENVIRONMENT": "LOCALHOST",
        "KAGGLE_API_ENDPOINT": url,  # kaggle 1.6 knows only this
        "http_proxy": url,
        "KAGGLE_USERNAME": user,
        "KAGGLE_KEY": key,
        "FKP_REHEARSAL": url,
    }
    if token:
        variables["KAGGLE_API_TOKEN"] = token
    with _change:
        if not _rehearsals:
            _outside.update({k: os.environ.get(k) for k in _REHEARSAL})
        _rehearsals.append(variables)
        _use_newest()
    try:
        yield
    finally:
        with _change:
            # The same object: two rehearsals may have equal variables.
            _rehearsals[:] = [r for r in _rehearsals if r is not variables]
            _use_newest()


def _use_newest() -> None:
    """Set the variables of the newest open rehearsal; without one, those of before."""
    # kaggle chooses its endpoint only once, when it is imported
    kaggle = sys.modules.get("kaggle.api.kaggle_api_extended")
    if _rehearsals:
        if kaggle:
            _outside.setdefault("args", kaggle.KaggleApi.args)
            kaggle.KaggleApi.args = ["--local"]
        restore({**dict.fromkeys(_REHEARSAL), **_rehearsals[-1]})
        return
    if kaggle and "args" in _outside:
        kaggle.KaggleApi.args = _outside["args"]
    restore({k: _outside[k] for k in _REHEARSAL})
    _outside.clear()


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
