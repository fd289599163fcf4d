"""The KaggleApi that `connect` returns. Importing this imports kaggle: go through session.py."""

from typing import Any

from kaggle.api.kaggle_api_extended import KaggleApi
from kagglesdk.kaggle_client import KaggleClient

from ..environment import assert_loopback, is_rehearsal
from .http import Limits, guard


class Client(KaggleApi):
    """kaggle's own API object with our endpoint and time limits; its requests are unchanged."""

    def __init__(
        self,
        *,
        endpoint: str = "",  # "" = the one kaggle chooses
        local: bool = False,  # the endpoint is a sandbox on this machine
        limits: Limits,
    ):
        super().__init__()
        # kaggle sets these two on the class, on import: it would miss a change of environment.
        self.args = ["--local"] if local or endpoint else []
        self.config_values: dict[str, str] = {}
        self.endpoint, self.local = endpoint, local
        self.timeout_s, self.tries = limits.timeout_s, limits.tries
        self.deadline_s = limits.deadline_s

    def get_response_processor(self) -> None:
        """Return nothing: kaggle's own one prints a version notice to stdout."""

    def build_kaggle_client(self) -> KaggleClient:
        """Return kaggle's low-level client with our endpoint, time limits and credentials."""
        client = super().build_kaggle_client()
        http: Any = client.http_client()
        if self.endpoint:
            http._endpoint = self.endpoint
        if is_rehearsal() or self.local:
            assert_loopback(http._endpoint)
        # By default kagglesdk prefers any token file it finds to the key that authenticated.
        http._signed_in = True
        http._init_session()
        http._session.auth = self._auth(http)
        guard(http._session, timeout_s=self.timeout_s, stay_local=self.local)
        return client

    def _auth(self, http: Any) -> Any:
        user, key, token = (self.config_values.get(name) for name in ("username", "key", "token"))
        if token:
            return http.BearerAuth(token)
        return (user, key) if user and key else None
