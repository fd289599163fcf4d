"""Who is asking: user and key, or an access token, as the Kaggle clients send them."""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from starlette.requests import Request

from .rpc import Fields
from .state import State

LIFE_S = 3600
# Asked before there are credentials, or with ones that are being checked.
OPEN = {
    "security.OAuthService/IntrospectToken",
    "security.OAuthService/ExchangeOAuthToken",
    "users.AccountService/GenerateAccessToken",
}


@dataclass
class Credentials:
    "The one account of a sandbox, and the tokens made for it."

    user: str
    key: str
    token: str
    state: State  # where tokens made and revoked are kept

    def admits(self, header: str) -> bool:
        "Say whether an Authorization header is that of the account."
        kind, _, value = header.partition(" ")
        if kind.lower() == "bearer":
            return self.knows(value)
        if kind.lower() != "basic":
            return False
        try:
            user, _, key = base64.b64decode(value, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return False
        return hmac.compare_digest(user.encode(), self.user.encode()) and hmac.compare_digest(
            key.encode(), self.key.encode()
        )

    def knows(self, token: str) -> bool:
        "Say whether a token is good."
        good = {
            self.token: True,
            **{r["token"]: bool(r["good"]) for r in self.state.rows("select * from tokens")},
        }
        return any(
            hmac.compare_digest(token.encode(), t.encode()) and is_good
            for t, is_good in good.items()
        )

    @property
    def methods(self) -> dict[str, Callable[[Request, Fields], Fields]]:
        "The account methods, by their full RPC names."
        return {
            "security.OAuthService/IntrospectToken": self._introspect,
            "security.OAuthService/ExchangeOAuthToken": self._exchange,
            "users.AccountService/GenerateAccessToken": self._generate,
            "users.AccountService/ExpireApiToken": self._expire,
            "api.v1.DiagnosticsService/Hello": lambda request, f: {"userName": self.user},
        }

    def _introspect(self, request: Request, f: Fields) -> Fields:
        active = self.knows(f.get("token", ""))
        return {
            "active": active,
            **(
                {
                    "username": self.user,
                    "userId": 1,
                    "clientId": "sandbox",
                    "scope": "resources.admin:*",
                }
                if active
                else {}
            ),
        }

    def _generate(self, request: Request, f: Fields) -> Fields:
        if not self.knows(f.get("refreshToken", "")):
            return {"code": 401, "message": "The refresh token is not valid."}
        return {"token": self._new(), "expiresIn": LIFE_S, "userName": self.user, "userId": 1}

    def _exchange(self, request: Request, f: Fields) -> Fields:
        if not (self.knows(f.get("code", "")) or self.knows(f.get("refreshToken", ""))):
            return {"code": 401, "message": "The code is not valid."}
        return {
            "accessToken": self._new(),
            "refreshToken": self.token,
            "tokenType": "Bearer",
            "expiresIn": LIFE_S,
            "username": self.user,
            "userId": 1,
            "scope": "resources.admin:*",
        }

    def _expire(self, request: Request, f: Fields) -> Fields:
        self._keep(f.get("token", ""), good=False)
        return {}

    def _new(self) -> str:
        token = f"KGAT_{secrets.token_hex(16)}"
        self._keep(token, good=True)
        return token

    def _keep(self, token: str, *, good: bool) -> None:
        self.state.update("insert or replace into tokens values (?, ?)", token, int(good))
