"""Authentication: user and key, or an access token, as the Kaggle clients send them."""

import base64
import binascii
import hmac
import secrets
from dataclasses import dataclass

from .rpc import Fields, Refused, Row, Service
from .state import State

_TOKEN_LIFE_S = 3600
# Clients call these without credentials, or with credentials that are being checked.
OPEN_METHODS = {
    "security.OAuthService/IntrospectToken",
    "security.OAuthService/ExchangeOAuthToken",
    "users.AccountService/GenerateAccessToken",
}


@dataclass
class Account(Service):
    """The one account of a sandbox, and the RPC methods that check, make and revoke its tokens."""

    user: str
    key: str
    token: str
    state: State

    def check(self, header: str) -> None:
        """Raise Refused unless an Authorization header is valid."""
        if not self._admits(header):
            raise Refused(
                401,
                "Unauthenticated: the user name and key, or the token, are missing or not valid.",
            )

    def _admits(self, header: str) -> bool:
        kind, _, value = header.partition(" ")
        if kind.lower() == "bearer":
            return self.accepts(value)
        if kind.lower() != "basic":
            return False
        try:
            user, _, key = base64.b64decode(value, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return False
        return _is_same(user, self.user) and _is_same(key, self.key)

    def accepts(self, token: str) -> bool:
        """Say whether an access token is valid."""
        stored = {r["token"]: bool(r["good"]) for r in self.state.rows("select * from tokens")}
        known = {**stored, self.token: True}
        return any(_is_same(token, other) and is_good for other, is_good in known.items())

    def rpc_hello(self, fields: Fields) -> Row:
        return {"userName": self.user}

    def rpc_introspect_token(self, fields: Fields) -> Row:
        if not self.accepts(fields.text("token")):
            return {"active": False}
        return {"active": True, **self._owner(), "clientId": "sandbox"}

    def rpc_generate_access_token(self, fields: Fields) -> Row:
        if not self.accepts(fields.text("refreshToken")):
            raise Refused(401, "The refresh token is not valid.")
        return {
            "token": self._new_token(),
            "expiresIn": _TOKEN_LIFE_S,
            "userName": self.user,
            "userId": 1,
        }

    # The protocol's name is ExchangeOAuthToken.
    def rpc_exchange_o_auth_token(self, fields: Fields) -> Row:
        if not (self.accepts(fields.text("code")) or self.accepts(fields.text("refreshToken"))):
            raise Refused(401, "The code is not valid.")
        return {
            "accessToken": self._new_token(),
            "refreshToken": self._new_token(),
            "tokenType": "Bearer",
            "expiresIn": _TOKEN_LIFE_S,
            **self._owner(),
        }

    def rpc_expire_api_token(self, fields: Fields) -> Row:
        token = fields.text("token")
        if _is_same(token, self.token):
            raise Refused(
                400,
                "This is the sandbox's own token, which all its clients use. "
                "To change it, start the sandbox with another --token.",
            )
        self._store(token, is_good=False)
        return {}

    def _owner(self) -> Row:
        return {"username": self.user, "userId": 1, "scope": "resources.admin:*"}

    def _new_token(self) -> str:
        token = f"KGAT_{secrets.token_hex(16)}"
        self._store(token, is_good=True)
        return token

    def _store(self, token: str, *, is_good: bool) -> None:
        self.state.update("insert or replace into tokens values (?, ?)", token, int(is_good))


def _is_same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())
