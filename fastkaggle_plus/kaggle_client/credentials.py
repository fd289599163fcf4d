"""Find the Kaggle credentials of this machine, in the order in which the clients use them."""

from __future__ import annotations

import json
import os
import re
import stat
from dataclasses import dataclass, replace
from pathlib import Path

from .. import environment
from .error_rules import SETTINGS

_NEW_TOKEN = f"Make a new token at {SETTINGS}/api and save it in ~/.kaggle/access_token."
_NEW_KEY = f"Make a new key at {SETTINGS}/api, or use a token."
_ORDER = ("token", "key", "OAuth login")
_FEWEST_CHARACTERS = 5  # different ones in a random key; a placeholder like 000... has fewer


@dataclass(frozen=True)
class Credential:
    """One place with a Kaggle credential. It never holds the key itself."""

    kind: str  # token | key | OAuth login
    where: str  # the variables or the file
    user: str = ""  # "" = only Kaggle knows it
    problem: str = ""  # "" = its format is right
    advice: str = ""  # how to correct the problem
    mode: int | None = None  # permissions of the file, None for a variable
    is_skipped: bool = False  # the clients ignore a file that they cannot read

    @property
    def is_private(self) -> bool:
        """Say whether only the user may read the file. Windows has no such permissions."""
        return self.mode is None or os.name == "nt" or not self.mode & 0o077


def find_credentials() -> list[Credential]:
    """Return every credential found; the clients use the first one that is not skipped.

    Formats are checked, except when the clients use a sandbox: it chooses its own keys.
    """
    found = [*_variables(), *map(_read, environment.token_files())]
    found.sort(key=lambda c: _ORDER.index(c.kind))
    if environment.points_to_sandbox():
        return [replace(c, problem="", advice="") for c in found]
    return found


def _variables() -> list[Credential]:
    found, values = [], environment.credential_variables()
    if token := values.get("token"):
        file = Path(token)
        if len(token) < 256 and file.is_file():
            found.append(replace(_read(file), where=f"KAGGLE_API_TOKEN, the file {file}"))
        else:
            found.append(_token(token, "KAGGLE_API_TOKEN"))
    if "user" in values and "key" in values:
        where = "KAGGLE_USERNAME and KAGGLE_KEY"
        found.append(_key(values["user"], values["key"], where))
    elif half := values.keys() & {"user", "key"}:
        names = {"user": "KAGGLE_USERNAME", "key": "KAGGLE_KEY"}
        one = half.pop()
        other = next(name for key, name in names.items() if key != one)
        found.append(
            Credential(
                "key",
                names[one],
                problem=f"it is set without {other}, so it is mixed with that of kaggle.json",
                advice=f"Set {other} too, or unset {names[one]}.",
            )
        )
    return found


def _read(file: Path) -> Credential:
    """Read a credential file."""
    kind = {"kaggle.json": "key", "credentials.json": "OAuth login"}.get(file.name, "token")
    advice = {
        "key": f"Download kaggle.json again at {SETTINGS}/api.",
        "OAuth login": "Log in again with `kaggle auth login`.",
        "token": _NEW_TOKEN,
    }[kind]
    found = Credential(kind, str(file), advice=advice, is_skipped=True)
    try:
        found = replace(found, mode=stat.S_IMODE(file.stat().st_mode))
        text = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as e:
        why = e.strerror if isinstance(e, OSError) else "it is no UTF-8 text"
        return replace(found, problem=f"it cannot be read: {why}")
    if not text:
        return replace(found, problem="it is empty")
    if kind == "token":
        return replace(_token(text, str(file)), mode=found.mode)
    try:
        values = json.loads(text)
    except ValueError as e:
        return replace(found, problem=f"it is no complete JSON: {e}")
    needed = ("username", "key") if kind == "key" else ("username", "refresh_token")
    missing = [name for name in needed if not (isinstance(values, dict) and values.get(name))]
    if missing:
        return replace(found, problem=f"it has no {' and no '.join(missing)}")
    user = str(values["username"])
    if kind == "key":
        return replace(_key(user, str(values["key"]), str(file)), mode=found.mode)
    return Credential(kind, str(file), user, mode=found.mode)


def _token(token: str, where: str) -> Credential:
    found = Credential("token", where)
    if not re.fullmatch(r"[!-~]{16,}", token) or re.search("[\"'{}]", token):
        length = f"{len(token)} characters"
        problem = f"expected KGAT_ and letters and digits, got other text ({length})"
        return replace(found, problem=problem, advice=_NEW_TOKEN)
    if not token.startswith("KGAT_"):
        problem = "Kaggle's tokens begin with KGAT_, and this one does not"
        return replace(found, problem=problem, advice=_NEW_TOKEN)
    return found


def _key(user: str, key: str, where: str) -> Credential:
    found = Credential("key", where, user)
    if not re.fullmatch(r"[\w.-]+", user):
        problem = f"{user!r} is no Kaggle user name"
    elif not re.fullmatch("[0-9a-f]{32}", key):
        problem = f"expected a key of 32 hex digits, got {len(key)} characters"
    elif len(set(key)) < _FEWEST_CHARACTERS:
        problem = "its key looks like a placeholder"
    else:
        return found
    return replace(found, problem=problem, advice=_NEW_KEY)
