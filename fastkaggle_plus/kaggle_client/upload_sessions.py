"""Upload sessions that are still open, on disk: after a kill a large upload goes on where it was."""

from __future__ import annotations

import hashlib
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .outbox import Journal

_VALID_S = 6 * 86_400  # Kaggle keeps a session for a week


@dataclass(frozen=True)
class Slot:
    "One upload session: its token and where the bytes go."

    token: str
    url: str


class Sessions:
    "The open uploads to one dataset."

    def __init__(
        self,
        journal: Journal,  # beside which they are kept
        *,
        origin: str,
        user: str,
        handle: str,  # owner/slug
    ):
        name = hashlib.sha256("\n".join((origin, user, handle)).encode()).hexdigest()[:20]
        self.path = journal.path.parent / "uploads" / f"{name}.json"

    def find(self, path: Path) -> Slot | None:
        "Return the session that was opened for these very bytes under this name."
        found = self._all().get(_key(path))
        return Slot(found["token"], found["url"]) if found else None

    def add(self, path: Path, slot: Slot) -> Slot:
        "Remember `slot` and return it."
        known = {
            **self._all(),
            _key(path): {"token": slot.token, "url": slot.url, "time": time.time()},
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        part = self.path.with_suffix(".part")
        # The address lets whoever has it write the file: for the user's eyes only.
        with os.fdopen(
            os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8"
        ) as f:
            json.dump(known, f)
        part.replace(self.path)
        return slot

    def forget(self) -> None:
        "Drop all: their tokens are used up."
        self.path.unlink(missing_ok=True)

    def _all(self) -> dict[str, dict[str, Any]]:
        try:
            known = json.loads(self.path.read_text(encoding="utf-8"))
            return {
                k: v
                for k, v in known.items()
                if v["time"] > time.time() - _VALID_S and v["token"] and v["url"]
            }
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return {}


def _key(path: Path) -> str:
    with open(path, "rb") as f:
        return f"{path.name} {hashlib.file_digest(f, 'sha256').hexdigest()}"
