"""Store open upload sessions on disk, so that a large upload resumes after a kill."""

import hashlib
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import files
from .outbox import Journal

_VALID_S = 6 * 86_400  # Kaggle keeps a session for a week


@dataclass(frozen=True)
class UploadSession:
    """One upload session: its token and its address for the bytes."""

    token: str
    url: str


class OpenUploads:
    """The open uploads to one dataset."""

    def __init__(
        self,
        journal: Journal,  # they are stored in its folder
        *,
        origin: str,
        user: str,
        handle: str,  # owner/slug
    ):
        name = hashlib.sha256("\n".join((origin, user, handle)).encode()).hexdigest()[:20]
        self.path = journal.path.parent / "uploads" / f"{name}.json"

    def find(self, path: Path) -> UploadSession | None:
        """Return the session that was opened for the same bytes under the same name."""
        found = self._read().get(_key(path))
        return UploadSession(found["token"], found["url"]) if found else None

    def add(self, path: Path, opened: UploadSession) -> UploadSession:
        """Store the session and return it."""
        fields = {"token": opened.token, "url": opened.url, "time": time.time()}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        part = self.path.with_suffix(".part")
        # Everyone with the address can write the file: only the user may read it.
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as f:
            json.dump({**self._read(), _key(path): fields}, f)
        part.replace(self.path)
        return opened

    def clear(self) -> None:
        """Remove all sessions: their tokens are used up."""
        self.path.unlink(missing_ok=True)

    def _read(self) -> dict[str, dict[str, Any]]:
        oldest = time.time() - _VALID_S
        try:
            known = json.loads(self.path.read_text(encoding="utf-8"))
            return {
                k: v for k, v in known.items() if v["time"] > oldest and v["token"] and v["url"]
            }
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return {}


def _key(path: Path) -> str:
    return f"{path.name} {files.file_hash(path)}"
