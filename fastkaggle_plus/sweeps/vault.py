"""The vault: stores finished and failed runs, keyed by all that could change their result."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from ..exceptions import DataError
from ..metrics import Metric
from ..predictions import Predictions, as_json, load_predictions
from .current_runs import current_check
from .stored_run import COLUMNS, StoredRun, read_runs

if TYPE_CHECKING:
    from sqlite_utils import Database

_LOCK_TIMEOUT_S = 60  # for another process to finish writing
STALE_S = 3600  # an older unfinished file belongs to a process that was killed


def run_key(
    *,
    data: str,  # fingerprint of what the model sees
    split: str,  # fingerprint of the fold assignment
    trial: str,  # fingerprint of model and parameters
    code: str,  # fingerprint of the code that ran
    environment: str,  # versions of Python and the libraries
    test: str = "",  # refit: test rows were predicted by a model of all rows
) -> str:
    """Return the key of a run: equal only if nothing that could change the result differs."""
    facts = "\n".join((data, split, trial, code, environment, *filter(None, [test])))
    return hashlib.sha256(facts.encode()).hexdigest()[:32]


def output_folder(slug: str, dest: str | Path | None, *, live: bool) -> Path:
    """Return the folder of a run's results and vault. Live and rehearsal never share one."""
    folder = Path(dest or Path("runs") / slug)
    return folder / "live" if live else folder


def find_vault(folder: Path, slug: str, *, live: bool) -> Vault:
    """Return the vault in an output folder, with runs of a competition. Raises DataError."""
    if (folder / "vault").is_dir() and (vault := Vault(folder / "vault")).runs(slug):
        return vault
    command = f"fkp sweep {slug}{' --live' if live else ''}"
    what = f"no run of {slug}" if (folder / "vault").is_dir() else "no vault"
    raise DataError(
        f"{folder} has {what}. Train the trials with `{command}`, or name the folder with --dest."
    )


class Vault:
    """A folder of runs and their predictions, which several processes may use at a time."""

    def __init__(
        self,
        folder: str | Path,
        *,
        scoring: Metric | None = None,  # of predictions that are read; default: the stored metric
    ):
        self.folder, self.scoring = Path(folder), scoring
        self.spool = self.folder / "spool"  # result files of workers that do not write here
        files = self.folder / "predictions"
        files.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(self.folder / "write.lock", timeout=_LOCK_TIMEOUT_S)
        with self._lock, self.database() as db:
            for part in files.glob(".*.part"):
                if time.time() - part.stat().st_mtime > STALE_S:
                    part.unlink(missing_ok=True)
            db.enable_wal()
            db["runs"].create(COLUMNS, pk="key", if_not_exists=True)  # type: ignore[union-attr]

    @contextmanager
    def database(self) -> Iterator[Database]:
        """Open the database during the block."""
        from sqlite_utils import Database  # imported here because it is slow to import

        db = Database(self.folder / "vault.db")
        try:
            yield db
        finally:
            db.conn.close()

    def put(self, key: str, slug: str, preds: Predictions, **facts: Any) -> StoredRun:
        """Store a finished run: first the file of its predictions, then its row."""
        part = self.folder / "predictions" / f".{key}.{os.getpid()}.part"
        digest = content_hash(preds.save(part).read_bytes())
        part.replace(self.file(digest))
        run = StoredRun(
            key,
            slug,
            preds.name,
            "done",
            metric=preds.metric,
            oof_score=preds.oof_score,
            oof_score_se=preds.oof_score_se,
            seconds_s=preds.seconds_s,
            predictions=digest,
            facts=facts,
        )
        return self.write(run)

    def put_error(self, key: str, slug: str, name: str, error: str, /, **facts: Any) -> StoredRun:
        """Store a failed run with its traceback. The next sweep tries it again."""
        return self.write(StoredRun(key, slug, name, "error", error=error, facts=facts))

    def put_pruned(self, key: str, slug: str, name: str, /, **facts: Any) -> StoredRun:
        """Store a trial that a search stopped; its facts have `fold_scores`.

        It has no predictions, so it is in no board and no ensemble. A finished run is kept.
        """
        if finished := self._select("key = ? and status = 'done'", key):
            return finished[0]
        return self.write(StoredRun(key, slug, name, "pruned", facts=facts))

    def fold_scores(self, key: str) -> list[float]:
        """Return the scores of the folds of a trial that a search stopped; empty for others."""
        pruned = self._select("key = ? and status = 'pruned'", key)
        return pruned[0].facts["fold_scores"] if pruned else []

    def get(self, key: str, *, name: str = "") -> Predictions | None:
        """Return the predictions of a finished run, with the trial's present name if it is given.

        None if it has not finished, or if its file is missing or damaged.
        """
        for run in self._select("key = ? and status = 'done'", key):
            with suppress(DataError, FileNotFoundError):
                return replace(self.load(run), name=name or run.trial)
        return None

    def runs(self, slug: str | None = None) -> list[StoredRun]:
        """Return all runs, or those of one competition, newest first, without the pruned ones."""
        ended = "status != 'pruned'"
        return self._select(f"{ended} and slug = ?", slug) if slug else self._select(ended)

    def pruned(self, slug: str) -> dict[str, list[float]]:
        """Return the fold scores of trials that searches stopped and that no sweep has run since.

        The newest of each trial comes first.
        """
        ended = {run.trial for run in self.runs(slug)}
        stopped: dict[str, list[float]] = {}
        for run in self._select("status = 'pruned' and slug = ?", slug):
            if run.trial not in ended:
                stopped.setdefault(run.trial, run.facts["fold_scores"])
        return stopped

    def load(self, run: StoredRun) -> Predictions:
        """Return the predictions of a run. Raises DataError for a run that failed."""
        if run.status != "done":
            raise DataError(
                f"The run of {run.trial!r} failed and has no predictions. Its error:\n{run.error}"
            )
        preds = load_predictions(self.file(run.predictions))
        return preds.scored_by(self.scoring) if self.scoring else preds

    def latest(self, slug: str) -> tuple[list[Predictions], dict[str, str]]:
        """Return the newest predictions of each trial, and tracebacks of trials that failed last.

        All predictions share the rows and the split of the newest, so that they can be compared;
        repeats share its rows, and those of one number their split.
        """
        found: dict[str, Predictions] = {}
        newest: dict[str, StoredRun] = {}
        for run in (runs := self.runs(slug)):
            newest.setdefault(run.trial, run)
        failed = {name: run.error for name, run in newest.items() if run.status != "done"}
        done = [run for run in runs if run.status == "done" and run.trial not in failed]
        is_current = current_check(done, self.load)
        for run in done:
            if run.trial not in found and is_current(run, preds := self.load(run)):
                found[run.trial] = replace(preds, name=run.trial)
        return list(found.values()), failed

    def mark_current(self, keys: Iterable[str]) -> None:
        """Make finished runs the newest of their trials, because a sweep used them again."""
        now = _now()
        with self._lock, self.database() as db, db.conn:
            for key in keys:
                db.execute("update runs set date = ? where key = ? and status = 'done'", [now, key])

    def _select(self, where: str, *values: str) -> list[StoredRun]:
        """Return the rows that match a condition in SQL, newest first."""
        with self.database() as db:
            return read_runs(db, where, *values)

    def file(self, digest: str) -> Path:
        """Return the file of the predictions with this hash."""
        return self.folder / "predictions" / f"{digest}.npz"

    def write(self, run: StoredRun) -> StoredRun:
        """Store a row, whose file is here already, with the date of now unless it has one."""
        run = replace(run, date=run.date or _now())
        with self._lock, self.database() as db:
            row = {**asdict(run), "facts": as_json(run.facts)}
            db["runs"].upsert(row, pk="key")  # type: ignore[union-attr]
        return run

    def delete(self, keys: Iterable[str]) -> None:
        """Delete the rows of failed runs."""
        with self._lock, self.database() as db, db.conn:
            for key in keys:
                db.execute("delete from runs where key = ? and status = 'error'", [key])


def content_hash(content: bytes) -> str:
    """Return the hash that names a file of predictions or a result file."""
    return hashlib.sha256(content).hexdigest()[:32]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")
