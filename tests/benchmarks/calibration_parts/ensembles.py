"""Nested scores of ensembles against their scores on new rows: bias and coverage."""

from collections.abc import Iterator

import numpy as np

from fastkaggle_plus.ensembling import ensemble
from fastkaggle_plus.predictions import Predictions

from .rates import rate

NEW_ROWS = 20_000
METHODS = ("mean", "optimum", "greedy", "stack", "auto")
CASES = (("log_loss", 300), ("log_loss", 1000), ("auc", 300), ("rmse", 300))


def members(metric: str, n: int, count: int, rng: np.random.Generator) -> list[Predictions]:
    """Return unequal members; their test rows are new rows, whose targets are their ids."""
    rows = n + NEW_ROWS
    shared, noise = rng.normal(size=rows), rng.uniform(0.7, 1.5, (count, 1))
    errors = 0.8 * shared + noise * rng.normal(size=(count, rows))
    if metric == "rmse":
        task, vocab, targs = "regression", (), rng.normal(size=rows)
        preds = (targs + errors)[:, :, None]
    else:
        task, vocab, targs = "binary", (0, 1), rng.integers(0, 2, rows)
        p = 1 / (1 + np.exp(-(0.6 * (2 * targs - 1) + errors)))
        preds = np.stack([1 - p, p], 2)
    known = dict(ids=np.arange(n), targs=targs[:n], folds=np.arange(n) % 5, test_ids=targs[n:])
    return [
        Predictions(f"m{i:02}", metric, task, vocab, oof=one[:n], test=one[n:], **known)
        for i, one in enumerate(preds)
    ]


def tables(scale: float, rng: np.random.Generator) -> Iterator[tuple[str, list[dict[str, object]]]]:
    """Yield the table of biases."""
    rows: list[dict[str, object]] = []
    for metric, n in CASES:
        gaps: dict[str, list[tuple[float, float]]] = {method: [] for method in METHODS}
        for _ in range(max(2, int(40 * scale))):
            pool = members(metric, n, 12, rng)
            for method in METHODS:
                if (method, metric) == ("optimum", "auc"):
                    continue
                made = ensemble(pool, method=method)
                true = made.scoring.score(made.test_ids, made.test)
                gaps[method].append((made.scoring.gain(made.oof_score, true), made.oof_score_se))
        for method, found in gaps.items():
            if found:
                rows.append({"metric": metric, "rows": n, "method": method, **_facts(found)})
    yield "Nested score of an ensemble of 12: too good by, in standard errors; coverage", rows


def _facts(found: list[tuple[float, float]]) -> dict[str, object]:
    gap, se = np.array(found).T
    share = gap / se
    error = 1.96 * share.std(ddof=1) / np.sqrt(len(share))
    hits = int((abs(gap) <= 1.96 * se).sum())
    return {
        "too good by": f"{share.mean():+.2f} SE (± {error:.2f})",
        "covered by ± 1.96 SE": rate(hits, len(gap)),
    }
