"""Write and read results.csv: one row per trial, with its scores and circumstances."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..predictions import Predictions
from .board import ranked_predictions

_CIRCUMSTANCES = ("split", "split_seed", "hardware", "versions", "date")
COLUMNS = (
    *("trial", "metric", "oof_score", "oof_score_se", "public_score", "private_score"),
    *("n_rows", "n_folds", "seconds"),
    *_CIRCUMSTANCES,
)


def write_results(
    file: str | Path,
    members: Sequence[Predictions],
    *,
    scores: Mapping[str, tuple[float | None, float | None]] | None = None,
) -> Path:
    """Write one csv row per member, best first, and return the path.

    `scores` gives (public_score, private_score) by name, for what was submitted. Rows worth keeping
    belong in the competition's results.csv.
    """
    part = Path(file).with_suffix(".part")
    with part.open("w", newline="", encoding="utf-8") as f:
        out = csv.DictWriter(f, COLUMNS, lineterminator="\n")
        out.writeheader()
        for p in ranked_predictions(members):
            public_score, private_score = (scores or {}).get(p.name, (None, None))
            row = {
                "trial": p.name,
                "metric": p.metric,
                "oof_score": f"{p.oof_score:.6f}",
                "oof_score_se": f"{p.oof_score_se:.6f}",
                "public_score": public_score,
                "private_score": private_score,
                "n_rows": int(p.validated.sum()),
                "n_folds": len(p.fold_scores),
                "seconds": f"{p.seconds_s:.1f}",
            }
            out.writerow(row | {name: p.about.get(name) for name in _CIRCUMSTANCES})
    return part.replace(file)


def measured_seconds(file: str | Path) -> dict[str, tuple[float, int]]:
    """Return trial -> (seconds, folds) of a results.csv; empty if the file does not exist."""
    if not Path(file).is_file():
        return {}
    with Path(file).open(newline="", encoding="utf-8") as f:
        rows = [r for r in csv.DictReader(f) if r.get("seconds") and r.get("n_folds")]
    return {r["trial"]: (float(r["seconds"]), int(r["n_folds"])) for r in rows}
