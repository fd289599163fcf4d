"""What the sandbox remembers: submissions, uploads, datasets, models, credentials. It survives a restart, and a kill."""

from __future__ import annotations

import json
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ..exceptions import SandboxError

UPLOAD_LIFE_S = 7 * 86_400
_SCHEMA = """
create table if not exists submissions (
    ref integer primary key autoincrement, slug text, team text, description text, file_name text, size integer, blob text, date text,
    status text, public_score real, private_score real, error text, late integer default 0, is_reference integer default 0);
create table if not exists uploads (
    token text primary key, file_name text, size integer, purpose text, done integer default 0, used integer default 0);
create table if not exists tokens (token text primary key, good integer);
create table if not exists items (
    id integer primary key autoincrement, kind text, handle text, facts text, created text, changed text, downloads integer default 0,
    last integer default 0, unique (kind, handle));
create table if not exists versions (
    item integer, number integer, status text, date text, notes text, plan text, replaces_all integer default 0, size integer default 0,
    error text default '', primary key (item, number));
create index if not exists by_slug on submissions (slug, team, date);
"""


class State:
    "The folder a sandbox keeps; one server at a time."

    def __init__(self, folder: Path):
        self.folder = folder
        (folder / "blobs").mkdir(parents=True, exist_ok=True)
        self._only = FileLock(folder / "server.lock")
        try:
            self._only.acquire(timeout=2)
        except Timeout as e:
            raise SandboxError(
                f"Another sandbox is using {folder}. Stop it, or give this one another state folder."
            ) from e
        self._guard = threading.RLock()
        self._db = sqlite3.connect(
            folder / "state.db", check_same_thread=False, isolation_level=None
        )
        self._db.row_factory = sqlite3.Row
        self._db.execute("pragma journal_mode = wal")
        self._db.executescript(_SCHEMA)
        if "purpose" not in {
            r["name"] for r in self.rows("pragma table_info(uploads)")
        }:  # a state of before there was this column
            self.update("alter table uploads add column purpose text")
        self._clear()

    def _clear(self) -> None:
        "Forget uploads that nobody finished or used for a week, as the storage does, and what kills left."
        for row in self.rows("select token from uploads where not used"):
            if (
                file := self.blob(row["token"])
            ).exists() and time.time() - file.stat().st_mtime > UPLOAD_LIFE_S:
                file.unlink()
                self.update("delete from uploads where token = ?", row["token"])
        for part in (self.folder / "zips").glob("*/*.part"):
            part.unlink()

    def close(self) -> None:
        "Let the folder go."
        with self._guard:
            self._db.close()
        self._only.release()

    @contextmanager
    def writing(self) -> Iterator[None]:
        "Make what happens inside one step: all of it or nothing."
        with self._guard:
            self._db.execute("begin immediate")
            try:
                yield
            except BaseException:
                self._db.execute("rollback")
                raise
            self._db.execute("commit")

    def rows(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        "Return the rows of a query."
        with self._guard:
            return [dict(r) for r in self._db.execute(sql, values)]

    def insert(self, table: str, **row: Any) -> int:
        "Insert a row and return its number."
        with self._guard:
            marks = ", ".join("?" * len(row))
            return int(
                self._db.execute(
                    f"insert into {table} ({', '.join(row)}) values ({marks})", tuple(row.values())
                ).lastrowid
                or 0
            )

    def update(self, sql: str, *values: Any) -> None:
        "Run one changing statement."
        with self._guard:
            self._db.execute(sql, values)

    def blob(self, token: str) -> Path:
        "Return the file of an upload."
        return self.folder / "blobs" / token

    def secrets(self) -> dict[str, str]:
        "Return what kernels get from kaggle_secrets: the labels and values in secrets.json, written by hand."
        file = self.folder / "secrets.json"
        return (
            {str(k): str(v) for k, v in json.loads(file.read_text(encoding="utf-8")).items()}
            if file.exists()
            else {}
        )

    def credentials(
        self, *, user: str | None, key: str | None, token: str | None
    ) -> dict[str, str]:
        "Return user, key and token: those given, else those of before, else new random ones; kept for the next start."
        file = self.folder / "credentials.json"
        try:
            before = json.loads(file.read_text())
        except (OSError, ValueError):  # none yet
            before = {}
        kept = {
            "user": user or before.get("user") or "kaggler",
            "key": key or before.get("key") or secrets.token_hex(16),
            "token": token or before.get("token") or f"KGAT_{secrets.token_hex(16)}",
            "signing": before.get("signing") or secrets.token_hex(32),
        }
        part = file.with_suffix(".part")
        part.touch(mode=0o600)
        part.write_text(json.dumps(kept))
        part.replace(file)
        return kept


def now() -> str:
    "Return this moment as Kaggle writes it."
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
