"""Remember the CV score of each submission file, so that it can be joined with the leaderboard."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from ..data import Array
from ..environment import home
from ..files import file_hash
from ..predictions import Predictions


@dataclass(frozen=True, eq=False)
class CvRecord:
    """The CV score of the predictions in a submission file."""

    slug: str
    name: str  # of the predictions
    metric: str
    higher_is_better: bool
    score: float
    se: float  # standard error of `score`
    n_rows: int  # validated training rows
    n_test: int  # rows of the file
    units: str  # records with the same text have the same units in the same order
    sha256: str  # of the file
    values: Array  # (n_units,) pseudo-values, see `Predictions.pseudo_values`


def cv_record(preds: Predictions, slug: str, *, sha256: str = "") -> CvRecord:
    """Return the CV score of predictions, with what comparisons with others need."""
    rows = preds.validated
    digest = hashlib.sha256("\n".join(map(str, preds.ids[rows])).encode())
    if preds.groups is not None:
        digest.update(np.unique(preds.groups[rows], return_inverse=True)[1].tobytes())
    return CvRecord(
        slug,
        preds.name,
        preds.metric,
        preds.scoring.higher_is_better,
        preds.oof_score,
        preds.oof_score_se,
        int(rows.sum()),
        len(preds.test),
        f"{digest.hexdigest()[:16]} {len(preds.pseudo_values)}",
        sha256,
        preds.pseudo_values,
    )


def remember_cv(preds: Predictions, slug: str, file: Path) -> None:
    """Keep the CV score of the predictions in `file`, by the hash of its bytes.

    It is a help for later: a folder that cannot be written is no error.
    """
    if not preds.validated.any():
        return
    record = cv_record(preds, slug, sha256=file_hash(file))
    facts = {k: v for k, v in asdict(replace(record, values=np.zeros(0))).items() if k != "values"}
    target = _file_of(record.sha256)
    with suppress(OSError):
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_suffix(".part")
        with part.open("wb") as f:
            values = record.values.astype(np.float32)
            np.savez_compressed(f, facts=np.array(json.dumps(facts)), values=values)
        part.replace(target)


def cv_of(sha256: str) -> CvRecord | None:
    """Return the CV score of the file with this hash, None if it is not known here."""
    with suppress(FileNotFoundError), np.load(_file_of(sha256), allow_pickle=False) as f:
        return CvRecord(**json.loads(str(f["facts"])), values=f["values"].astype(float))
    return None


def _file_of(sha256: str) -> Path:
    return home() / "cv-scores" / f"{sha256}.npz"
