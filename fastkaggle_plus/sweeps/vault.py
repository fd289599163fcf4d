"""Vault: what ran, keyed by everything that could change its result."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from ..exceptions import DataError
from ..predictions import Predictions, as_json, load_predictions

if TYPE_CHECKING:
    from sqlite_utils import Database

_WAIT_S = 60  # for another process to finish writing
_STALE_S = 3600


def run_key(
    *,
    data: str,  # fingerprint of what the model sees
    split: str,  # fingerprint of the fold assignment
    trial: str,  # fingerprint of model and parameters
    code: str,  # fingerprint of the code that ran
    environment: str,  # versions of what it ran on
) -> str:
    "Return the key of a run: equal exactly when nothing that could change the result differs."
    return hashlib.sha256("\n".join((data, split, trial, code, environment)).encode()).hexdigest()[
        :32
    ]


@dataclass(frozen=True)
class Run:
    "One execution of a trial, as a row."

    key: str
    slug: str
    trial: str
    status: str  # done | error
    metric: str = ""
    oof_score: float | None = None
    oof_score_se: float | None = None
    seconds_s: float = 0.0
    error: str = ""  # traceback, where status is error
    predictions: str = ""  # hash of the content, the file's name
    facts: dict[str, Any] = field(default_factory=dict)  # trial, split, seed, versions, hardware
    date: str = ""


class Vault:
    "A folder that holds runs and their predictions; several processes may use it at once."

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        (self.folder / "predictions").mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(self.folder / "write.lock", timeout=_WAIT_S)
        with self._lock, self._open() as db:
            for part in (self.folder / "predictions").glob(
                ".*.part"
            ):  # what kills left: nothing is written for so long
                if time.time() - part.stat().st_mtime > _STALE_S:
                    part.unlink(missing_ok=True)
            db.enable_wal()
            db["runs"].create(  # type: ignore[union-attr]
                {
                    "key": str,
                    "slug": str,
                    "trial": str,
                    "status": str,
                    "metric": str,
                    "oof_score": float,
                    "oof_score_se": float,
                    "seconds_s": float,
                    "error": str,
                    "predictions": str,
                    "facts": str,
                    "date": str,
                },
                pk="key",
                if_not_exists=True,
            )

    @contextmanager
    def _open(self) -> Iterator[Database]:
        from sqlite_utils import (
            Database,  # takes long to import, and importing this file should not
        )

        db = Database(self.folder / "vault.db")
        try:
            yield db
        finally:
            db.conn.close()

    def put(self, key: str, slug: str, preds: Predictions, **facts: Any) -> Run:
        "Store a finished trial: first the file, under the hash of its content, then the row."
        part = self.folder / "predictions" / f".{key}.{os.getpid()}.part"
        digest = hashlib.sha256(preds.save(part).read_bytes()).hexdigest()[:32]
        part.replace(self._file(digest))
        run = Run(
            key,
            slug,
            preds.name,
            "done",
            preds.metric,
            preds.oof_score,
            preds.oof_score_se,
            preds.seconds_s,
            "",
            digest,
            facts,
        )
        return self._write(run)

    def put_error(self, key: str, slug: str, trial: str, error: str, **facts: Any) -> Run:
        "Store a failed trial with its traceback; it is tried again by the next run."
        return self._write(Run(key, slug, trial, "error", error=error, facts=facts))

    def get(self, key: str) -> Predictions | None:
        "Return the predictions of a finished run, or None when it has not run or its file is missing or damaged."
        with self._open() as db:
            rows = list(db["runs"].rows_where("key = ? and status = 'done'", [key]))
        if not rows or not (file := self._file(rows[0]["predictions"])).exists():
            return None
        try:
            return load_predictions(file)
        except DataError:
            return None

    def runs(self, slug: str | None = None) -> list[Run]:
        "Return all runs, newest first."
        with self._open() as db:
            rows = list(
                db["runs"].rows_where(
                    "slug = ?" if slug else None,
                    [slug] if slug else None,
                    order_by="date desc, rowid desc",
                )
            )
        return [Run(**{**row, "facts": json.loads(row["facts"])}) for row in rows]

    def load(self, run: Run) -> Predictions:
        "Return the predictions of a run. Raises DataError when there are none."
        if run.status != "done":
            raise DataError(
                f"The run of {run.trial!r} failed, so it left no predictions. Its error:\n{run.error}"
            )
        return load_predictions(self._file(run.predictions))

    def _file(self, digest: str) -> Path:
        return self.folder / "predictions" / f"{digest}.npz"

    def _write(self, run: Run) -> Run:
        row = {
            **asdict(run),
            "facts": as_json(run.facts),
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        with self._lock, self._open() as db:
            db["runs"].upsert(row, pk="key")  # type: ignore[union-attr]
        return Run(**{**row, "facts": run.facts})
