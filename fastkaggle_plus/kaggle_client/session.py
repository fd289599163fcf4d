"""Find credentials and open an authenticated KaggleApi. Prints nothing and never exits."""

from __future__ import annotations

import contextlib
import io
import sys
import warnings
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from .. import environment
from ..exceptions import BadCredentials, KaggleError, MissingExtra, NoCredentials, SandboxError
from . import api, error_rules, http
from .api import KaggleApi
from .http import Limits
from .services import LOGIN

_PRODUCTION = ("api.kaggle.com", "www.kaggle.com", "kaggle.com")
_NEW_TOKEN = f"Make a new one at {error_rules.SETTINGS}/api"


def import_kaggle() -> KaggleApi:
    """Return an authenticated KaggleApi. In Kaggle, try `kaggle_username` and `kaggle_key` last."""
    try:
        return connect()
    except (NoCredentials, BadCredentials):
        is_notebook = environment.iskaggle and not environment.is_rehearsal()
        user, key = _kaggle_secrets() if is_notebook else ("", "")
        if not (user and key):
            raise
    return connect(user=user, key=key)


def connect(
    endpoint: str | None = None,  # a sandbox, http://127.0.0.1:PORT; None = Kaggle or rehearsal
    *,
    user: str | None = None,  # with `key`: used before the environment and ~/.kaggle
    key: str | None = None,
    token: str | None = None,  # an API token instead of user and key
    timeout_s: float = 60.0,  # longest silence of one request
    tries: int = 7,  # of one read
    deadline_s: float = 300.0,  # all tries of one read together
) -> KaggleApi:
    """Return a KaggleApi that is authenticated, has time limits, and calls `endpoint`."""
    endpoint, local = _resolve(endpoint)
    given = {"user": user, "key": key, "token": token}
    if any(given.values()) and not (token or (user and key)):
        raise NoCredentials(
            "`user` and `key` go together: one of them is missing. Give both, or `token`."
        )
    if not any(given.values()) and (local or endpoint):
        # Never send a real account's files to a server that is not Kaggle.
        if environment.is_rehearsal() or not endpoint:
            given.update(environment.credential_variables())
            if not endpoint and any(given.values()):
                environment.assert_sandbox_variables()
        given["token"] = _token_in(given["token"])
        if not (given["token"] or (given["user"] and given["key"])):
            raise NoCredentials(
                f"No credentials for {endpoint or 'http://localhost'}. Give connect(..., user=, "
                "key=) or token=, as the sandbox was started with; those of your Kaggle account "
                "are not sent there."
            )
    _import_kaggle_package()
    from .client import Client

    limits = Limits(timeout_s=timeout_s, tries=tries, deadline_s=deadline_s)
    client = Client(endpoint=endpoint, local=local, limits=limits)
    if given["token"]:
        _use_token(client, given["token"])
    elif given["user"]:
        values = {"username": given["user"], "key": given["key"] or ""}
        client.config_values = {**values, "auth_method": "LEGACY_API_KEY"}
        client._authenticated = True
    else:
        _authenticate(client)
    return client


def origin() -> str:
    """Return which service a new session would call, without opening one: as api.origin."""
    return "sandbox" if _resolve(None)[1] else "https://api.kaggle.com"


def _resolve(endpoint: str | None) -> tuple[str, bool]:
    """Return (endpoint or '' for kaggle's own choice, whether it is a local sandbox)."""
    environment_name = environment.api_environment()
    if endpoint:
        endpoint = endpoint.rstrip("/").removesuffix("/api")
        if urlsplit(endpoint).hostname in _PRODUCTION and not environment.is_rehearsal():
            return "", False
        if environment.is_rehearsal() or urlsplit(endpoint).scheme != "https":
            return environment.assert_loopback(endpoint), True
        return endpoint, False
    if environment_name == "LOCALHOST":
        return "", True
    if environment.is_rehearsal() or environment_name != "PROD":
        rehearsal = "FKP_REHEARSAL is set, but " if environment.is_rehearsal() else ""
        raise SandboxError(
            f"{rehearsal}KAGGLE_API_ENVIRONMENT is {environment_name!r}, and with this value the "
            "kaggle client uses its production server. Use environment.rehearsing(...) for a "
            "sandbox, or unset KAGGLE_API_ENVIRONMENT and FKP_REHEARSAL for the real Kaggle."
        )
    return "", False


def _use_token(client: Any, token: str) -> None:
    client.config_values = {"token": token, "auth_method": "ACCESS_TOKEN"}
    user = _call(client, lambda: client._introspect_token(token))
    if not user:
        raise BadCredentials(f"The API token is not valid, or no longer. {_NEW_TOKEN}.", status=401)
    client.config_values["username"] = user
    client._authenticated = True


def _authenticate(client: Any) -> None:
    """Let kaggle find its credentials; turn its help text and exit into an exception."""
    printed = io.StringIO()
    try:
        with _captured(printed):
            _call(client, client.authenticate)
    except SystemExit:
        from kagglesdk.kaggle_env import get_access_token_from_env

        token, source = get_access_token_from_env()
        if token:
            raise BadCredentials(
                f"The API token in {source} is not valid, or no longer. {_NEW_TOKEN} and put it "
                "there.",
                status=401,
            ) from None
        raise NoCredentials(error_rules.NO_CREDENTIALS) from None
    if (notice := printed.getvalue().strip()).startswith("Warning"):
        warnings.warn(notice, stacklevel=3)


def _token_in(token: str | None) -> str | None:
    """Return the token; KAGGLE_API_TOKEN may also name a file with it."""
    with contextlib.suppress(OSError):
        if token and Path(token).is_file():
            return Path(token).read_text().strip()
    return token


def _call(client: Any, call: Callable[[], Any]) -> Any:
    with api.Subject(client, LOGIN, "Kaggle").explained("log in to"):
        return http.retry_read(call, api.limits_of(client))


def _kaggle_secrets() -> tuple[str, str]:
    """Return the user name and key from the notebook's secrets, '' for missing ones."""
    try:
        from kaggle_secrets import UserSecretsClient  # type: ignore[import-not-found]

        secrets = UserSecretsClient()
        return secrets.get_secret("kaggle_username"), secrets.get_secret("kaggle_key")
    except Exception:  # each of kaggle_secrets' own exceptions means that they are missing
        return "", ""


def _import_kaggle_package() -> None:
    """Import kaggle without its prints and its request about a token, which has no timeout."""
    try:
        from kagglesdk.kaggle_http_client import KaggleHttpClient

        call = KaggleHttpClient.call
        try:
            KaggleHttpClient.call = _offline
            with _captured(io.StringIO()):
                try:
                    import_module("kaggle")
                except FileExistsError:  # another process made the folder first
                    import_module("kaggle")
        finally:
            KaggleHttpClient.call = call
    except ModuleNotFoundError as e:
        raise MissingExtra((e.name or "kaggle").split(".")[0], "kaggle") from e
    except OSError as e:
        raise KaggleError(
            f"kaggle could not make its settings folder: {e}. Set KAGGLE_CONFIG_DIR to a folder "
            "that you may write to."
        ) from e


@contextlib.contextmanager
def _captured(printed: io.StringIO) -> Iterator[None]:
    """Catch what kaggle prints; its exit() closes stdin, so give it another one than the user's."""
    stdin, sys.stdin = sys.stdin, io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            yield
    finally:
        sys.stdin = stdin


def _offline(*_: Any, **__: Any) -> None:
    raise ConnectionError("no request during the import of kaggle")
