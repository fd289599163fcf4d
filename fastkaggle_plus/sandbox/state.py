"""The sandbox's database and files. A restart or a kill loses nothing."""

import json
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ..exceptions import SandboxError
from .archives import remove_unused

_UPLOAD_LIFE_S = 7 * 86_400
_SCHEMA = """
create table if not exists submissions (
    ref integer primary key autoincrement, slug text, team text, description text, file_name text,
    size integer, blob text, date text, status text, public_score real, private_score real,
    error text, late integer default 0, is_reference integer default 0);
create table if not exists uploads (
    token text primary key, file_name text, size integer, purpose text, done integer default 0,
    used integer default 0);
create table if not exists tokens (token text primary key, good integer);
create table if not exists items (
    id integer primary key autoincrement, kind text, handle text, facts text, created text,
    changed text, downloads integer default 0, last integer default 0, unique (kind, handle));
create table if not exists versions (
    item integer, number integer, status text, date text, notes text, plan text,
    replaces_all integer default 0, size integer default 0, error text default '',
    primary key (item, number));
create index if not exists by_slug on submissions (slug, team, date);
"""


class State:
    """The folder that a sandbox keeps. Only one server at a time can open it."""

    def __init__(self, folder: Path):
        self.folder = folder
        (folder / "blobs").mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(folder / "server.lock")
        try:
            self._lock.acquire(timeout=2)
        except Timeout as e:
            raise SandboxError(
                f"Another sandbox is using {folder}. Stop it, or use another state folder."
            ) from e
        self._guard = threading.RLock()
        self._db = sqlite3.connect(
            folder / "state.db", check_same_thread=False, isolation_level=None
        )
        self._db.row_factory = sqlite3.Row
        self._db.execute("pragma journal_mode = wal")
        self._db.executescript(_SCHEMA)
        # A state of an older version has no such column.
        if "purpose" not in {r["name"] for r in self.rows("pragma table_info(uploads)")}:
            self.update("alter table uploads add column purpose text")
        self._remove_leftovers()

    def _remove_leftovers(self) -> None:
        """Delete unused uploads after a week, as Kaggle does, and files of interrupted writes."""
        for row in self.rows("select token from uploads where not used"):
            file = self.blob(row["token"])
            if file.exists() and time.time() - file.stat().st_mtime > _UPLOAD_LIFE_S:
                file.unlink()
                self.update("delete from uploads where token = ?", row["token"])
        for part in (self.folder / "zips").glob("*/*.part"):
            part.unlink()
        remove_unused(self.folder / "zips")

    def close(self) -> None:
        """Close the database and release the folder."""
        with self._guard:
            self._db.close()
        self._lock.release()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Run the block as one transaction, or as a part of the one that is open."""
        with self._guard:
            if self._db.in_transaction:
                yield
                return
            self._db.execute("begin immediate")
            try:
                yield
            except BaseException:
                self._db.execute("rollback")
                raise
            self._db.execute("commit")

    def rows(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        """Return the rows of a query."""
        with self._guard:
            return [dict(r) for r in self._db.execute(sql, values)]

    def row(self, sql: str, *values: Any) -> dict[str, Any] | None:
        """Return the first row of a query, or None."""
        return next(iter(self.rows(sql, *values)), None)

    def insert(self, table: str, **row: Any) -> int:
        """Insert a row and return its number."""
        marks = ", ".join("?" * len(row))
        sql = f"insert into {table} ({', '.join(row)}) values ({marks})"
        with self._guard:
            return int(self._db.execute(sql, tuple(row.values())).lastrowid or 0)

    def update(self, sql: str, *values: Any) -> None:
        """Run a statement that changes rows."""
        with self._guard:
            self._db.execute(sql, values)

    def change(self, table: str, key: dict[str, Any], **columns: Any) -> None:
        """Set columns of the rows with this key."""
        assignments = ", ".join(f"{c} = ?" for c in columns)
        where = " and ".join(f"{k} = ?" for k in key)
        sql = f"update {table} set {assignments} where {where}"
        self.update(sql, *columns.values(), *key.values())

    def upload(self, token: str) -> dict[str, Any] | None:
        """Return the row of an upload, or None."""
        return self.row("select * from uploads where token = ?", token)

    def mark_used(self, token: str) -> None:
        """Note that an upload was used; it cannot be used again."""
        self.change("uploads", {"token": token}, used=1)

    def blob(self, token: str) -> Path:
        """Return the file of an upload."""
        return self.folder / "blobs" / token

    def secrets(self) -> dict[str, str]:
        """Return the values for kaggle_secrets by label. The user writes them into secrets.json."""
        file = self.folder / "secrets.json"
        if not file.exists():
            return {}
        return {str(k): str(v) for k, v in json.loads(file.read_text(encoding="utf-8")).items()}

    def credentials(
        self, *, user: str | None, key: str | None, token: str | None
    ) -> dict[str, str]:
        """Return user, key, token and signing key, and keep them for the next start.

        A value that is not given is the one of the last start, or else a new random one.
        """
        file = self.folder / "credentials.json"
        try:
            last = json.loads(file.read_text())
        except (OSError, ValueError):
            last = {}
        kept = {
            "user": user or last.get("user") or "kaggler",
            "key": key or last.get("key") or secrets.token_hex(16),
            "token": token or last.get("token") or f"KGAT_{secrets.token_hex(16)}",
            "signing": last.get("signing") or secrets.token_hex(32),
        }
        part = file.with_suffix(".part")
        part.touch(mode=0o600)
        part.write_text(json.dumps(kept))
        part.replace(file)
        return kept
