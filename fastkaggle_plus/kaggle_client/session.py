"""From credentials to an authenticated KaggleApi. Prints nothing, never exits, and a rehearsal never leaves this machine."""

from __future__ import annotations

import contextlib
import io
import sys
import warnings
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from .. import environment
from ..exceptions import BadCredentials, KaggleError, MissingExtra, NoCredentials, SandboxError
from . import errors, retry

if TYPE_CHECKING:
    from kaggle.api.kaggle_api_extended import KaggleApi

_PRODUCTION = ("api.kaggle.com", "www.kaggle.com", "kaggle.com")


def import_kaggle() -> KaggleApi:
    "Return an authenticated KaggleApi; inside Kaggle the secrets `kaggle_username` and `kaggle_key` are tried last."
    try:
        return connect()
    except (NoCredentials, BadCredentials):
        if not environment.iskaggle or environment.is_rehearsal():
            raise
        secrets = _kaggle_secrets()
        if not secrets:
            raise
    return connect(user=secrets[0], key=secrets[1])


def connect(
    endpoint: str
    | None = None,  # a sandbox, http://127.0.0.1:PORT; None = Kaggle, or the sandbox of the rehearsal this runs in
    *,
    user: str | None = None,  # with `key`: wins over what the environment and ~/.kaggle hold
    key: str | None = None,
    token: str | None = None,  # an API token instead of user and key
    timeout_s: float = 60.0,  # longest silence of one request
    tries: int = 7,  # how often a read is tried
    deadline_s: float = 300.0,  # all tries of one read together
) -> KaggleApi:
    "Return a KaggleApi that is authenticated, has time limits, and talks to `endpoint`."
    endpoint, local = _resolve(endpoint)
    given = {"user": user, "key": key, "token": token}
    if any(given.values()) and not (token or (user and key)):
        raise NoCredentials(
            "`user` and `key` go together: one of them is missing. Give both, or `token`."
        )
    if not any(given.values()) and (local or endpoint):
        # Only what was meant for it may be sent to a server that is not Kaggle: never a real account's files.
        given.update(
            environment.credential_variables() if environment.is_rehearsal() or not endpoint else {}
        )
        given["token"] = _content(given["token"])
        if not (given["token"] or (given["user"] and given["key"])):
            raise NoCredentials(
                f"No credentials for {endpoint or 'http://localhost'}. Give connect(..., user=, key=) or token=, as the "
                "sandbox was started with; those of your Kaggle account are not sent there."
            )
    _import_kaggle_package()
    from .client import Client

    api = Client(
        endpoint=endpoint, local=local, timeout_s=timeout_s, tries=tries, deadline_s=deadline_s
    )
    if any(given.values()):
        _use(api, **given)
    else:
        _authenticate(api)
    return api


def origin() -> str:
    "Return where a new session would talk to, without opening one: `sandbox` or Kaggle's address."
    return "sandbox" if _resolve(None)[1] else "https://api.kaggle.com"


def _resolve(endpoint: str | None) -> tuple[str, bool]:
    "Return (endpoint or '' for the one kaggle chooses, whether that is a sandbox on this machine). Fails closed."
    wanted = environment.api_environment()
    if endpoint:
        endpoint = endpoint.rstrip("/").removesuffix("/api")
        if urlsplit(endpoint).hostname in _PRODUCTION and not environment.is_rehearsal():
            return "", False
        if environment.is_rehearsal() or urlsplit(endpoint).scheme != "https":
            return environment.assert_loopback(endpoint), True
        return endpoint, False
    if wanted == "LOCALHOST":
        return "", True
    if environment.is_rehearsal() or wanted != "PROD":
        raise SandboxError(
            f"KAGGLE_API_ENVIRONMENT is {wanted!r}, which the kaggle client takes for production. "
            "Use environment.rehearsing(...) for a sandbox, or unset the variable for Kaggle itself."
        )
    return "", False


def _use(api: Any, *, user: str | None, key: str | None, token: str | None) -> None:
    if token:
        api.config_values = {
            api.CONFIG_NAME_TOKEN: token,
            api.CONFIG_NAME_AUTH_METHOD: "ACCESS_TOKEN",
        }
        user = _call(api, lambda: api._introspect_token(token))
        if not user:
            raise BadCredentials(
                "The API token is not valid, or no longer. Make one at https://www.kaggle.com/settings/api.",
                status=401,
            )
        api.config_values[api.CONFIG_NAME_USER] = user
    else:
        api.config_values = {
            api.CONFIG_NAME_USER: user,
            api.CONFIG_NAME_KEY: key,
            api.CONFIG_NAME_AUTH_METHOD: "LEGACY_API_KEY",
        }
    api._authenticated = True


def _authenticate(api: Any) -> None:
    "Let kaggle find its credentials, and turn its help text and exit into an exception."
    printed = io.StringIO()
    try:
        with _shielded(printed):
            _call(api, api.authenticate)
    except SystemExit:
        from kagglesdk.kaggle_env import get_access_token_from_env

        token, source = get_access_token_from_env()
        if token:
            raise BadCredentials(
                f"The API token in {source} is not valid, or no longer. Make a new one at "
                "https://www.kaggle.com/settings/api and put it there.",
                status=401,
            ) from None
        raise errors.no_credentials() from None
    if (notice := printed.getvalue().strip()).startswith("Warning"):
        warnings.warn(notice, stacklevel=3)


def _content(token: str | None) -> str | None:
    "Return the token; KAGGLE_API_TOKEN may also name a file that holds it."
    with contextlib.suppress(OSError):
        if token and Path(token).is_file():
            return Path(token).read_text().strip()
    return token


def _call(api: Any, call: Any) -> Any:
    from .api import explained

    with explained(api, doing="log in"):
        return retry.read(call, tries=api.tries, deadline_s=api.deadline_s)


def _kaggle_secrets() -> tuple[str, str] | None:
    "Return the user name and key kept in the notebook's secrets."
    try:
        from kaggle_secrets import UserSecretsClient  # type: ignore[import-not-found]

        secrets = UserSecretsClient()
        user, key = secrets.get_secret("kaggle_username"), secrets.get_secret("kaggle_key")
    except (
        Exception
    ):  # whatever kaggle_secrets raises, its own tree included, means the same: not there
        return None
    return (user, key) if user and key else None


def _import_kaggle_package() -> None:
    "Import kaggle without what it does on import: print, and ask the service about a token, without a time limit."
    try:
        from kagglesdk.kaggle_http_client import KaggleHttpClient

        call = KaggleHttpClient.call
        try:
            KaggleHttpClient.call = _offline
            with _shielded(io.StringIO()):
                try:
                    import_module("kaggle")
                except (
                    FileExistsError
                ):  # another process made the settings folder between kaggle's look and its step
                    import_module("kaggle")
        finally:
            KaggleHttpClient.call = call
    except ModuleNotFoundError as e:
        raise MissingExtra((e.name or "kaggle").split(".")[0], "kaggle") from e
    except OSError as e:
        raise KaggleError(
            f"kaggle could not make its settings folder: {e}. Point KAGGLE_CONFIG_DIR at a folder you may write."
        ) from e


@contextlib.contextmanager
def _shielded(printed: io.StringIO) -> Iterator[None]:
    "Catch what kaggle prints, and give its exit() another stdin to close than the user's."
    stdin, sys.stdin = sys.stdin, io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            yield
    finally:
        sys.stdin = stdin


def _offline(*_: Any, **__: Any) -> None:
    raise ConnectionError("no request while kaggle is imported")
