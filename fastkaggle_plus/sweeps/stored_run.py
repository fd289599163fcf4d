"""StoredRun: one execution of a trial, as a row of the vault's database."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..predictions import as_json, recipe_of
from .trial import SEEDS

if TYPE_CHECKING:
    from sqlite_utils import Database


@dataclass(frozen=True)
class StoredRun:
    """One execution of a trial: a row of the vault's database."""

    key: str
    slug: str
    trial: str
    status: str  # done | error | pruned: a search stopped it after a fold
    metric: str = ""
    oof_score: float | None = None
    oof_score_se: float | None = None
    seconds_s: float = 0.0
    error: str = ""  # traceback, if status is error
    predictions: str = ""  # hash of the predictions' content, which names their file
    facts: dict[str, Any] = field(default_factory=dict)  # trial, split, seed, versions, hardware
    date: str = ""  # when it was last measured or used again

    @property
    def version(self) -> str:
        """The short hash that names this version of the trial."""
        return self.key[:7]

    @property
    def repeat(self) -> int:
        """The number of the repeat, see `Trial`."""
        return recipe_of(self.trial)[1]

    @property
    def recipe(self) -> str:
        """All that the repeats of a trial share: model, parameters without seeds, code, data."""
        trial, parts = self.facts.get("trial", {}), self.facts.get("parts", {})
        params = {k: v for k, v in trial.get("params", {}).items() if k not in SEEDS}
        shared = {k: v for k, v in parts.items() if k not in ("trial", "split")}
        return as_json({"model": trial.get("model"), "params": params, "parts": shared})

    @property
    def measured(self) -> str:
        """The day on which it was measured."""
        return str(self.facts.get("date") or self.date[:10])


_FLOATS = ("oof_score", "oof_score_se", "seconds_s")
COLUMNS = {name: float if name in _FLOATS else str for name in StoredRun.__dataclass_fields__}


def read_runs(db: Database, where: str = "", *values: str) -> list[StoredRun]:
    """Return the rows of a vault's database that match a condition in SQL, newest first."""
    rows = db["runs"].rows_where(where or None, values, order_by="date desc, rowid desc")
    return [StoredRun(**{**row, "facts": json.loads(row["facts"])}) for row in rows]
