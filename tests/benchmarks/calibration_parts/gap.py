"""The gap verdict: false alarms and power; how often private score and rank are covered."""

from collections.abc import Iterator

import numpy as np

from fastkaggle_plus.evidence.gap import Rows, Scores, check_gap
from fastkaggle_plus.evidence.placing import place
from fastkaggle_plus.evidence.private_score import forecast

from ..simulated import before_the_end, competition
from .rates import rate


def tables(scale: float, rng: np.random.Generator) -> Iterator[tuple[str, list[dict[str, object]]]]:
    n = max(10, round(100 * scale))
    yield (
        "false alarms of the gap verdict, 5% claimed",
        [
            _alarms(metric, rows, n_models, n, rng)
            for metric in ("accuracy", "logloss", "auc", "rmse")
            for rows in (200, 800)
            for n_models in (1, 8)
        ],
    )
    yield (
        "alarms with a shift between train and test, in SDs of the coefficients",
        [_alarms("logloss", 800, 8, max(10, n // 2), rng, shift=shift) for shift in (1.0, 3.0)],
    )
    yield "false alarms if only the best of 20 in CV is sent", [_best_of_20(max(10, n), rng)]
    yield (
        "private score within its 90% interval",
        [
            _forecast(metric, shift, n, rng)
            for metric in ("accuracy", "rmse")
            for shift in (0.0, 0.5)
        ],
    )
    yield (
        "private rank within its 90% interval, 300 teams",
        [_rank(shift, n, rng) for shift in (0.0, 0.5)],
    )


def _alarms(metric, rows, n_models, n, rng, shift=0.0):
    public = both = 0
    for _ in range(n):
        scores, sizes = competition(rng, metric, n=rows, n_models=n_models, shift=shift)
        public += not check_gap(before_the_end(scores), sizes).is_as_expected
        both += not check_gap(scores, sizes).is_as_expected
    about = {"shift": shift} if shift else {}
    return {
        "metric": metric,
        "train rows": rows,
        "submissions": n_models,
        **about,
        "public": rate(public, n),
        "public and private": rate(both, n),
    }


def _best_of_20(n, rng):
    alarms = 0
    for _ in range(n):
        scores, sizes = competition(rng, "accuracy", n_models=20)
        best = max(scores, key=lambda s: s.cv)
        alarms += not check_gap(before_the_end([best]), sizes).is_as_expected
    return {"metric": "accuracy", "train rows": 400, "public": rate(alarms, n)}


def _forecast(metric, shift, n, rng):
    covered = total = 0
    for _ in range(n):
        scores, sizes = competition(rng, metric, shift=shift)
        seen = forecast(before_the_end(scores), sizes)
        sign = 1 if sizes.higher_is_better else -1
        error = np.abs(sign * np.array([s.private for s in scores]) - seen.mean)
        i = int(seen.mean.argmax())  # one a competition: they are correlated
        covered += error[i] <= 1.645 * np.sqrt(seen.covariance[i, i])
        total += 1
    return {"metric": metric, "shift": shift, "covered": rate(covered, total)}


def _rank(shift, n, rng):
    """300 teams are models of the competition; ours sent five of them at random."""
    covered, widths = 0, []
    for _ in range(n):
        scores, sizes = competition(rng, "accuracy", n=400, n_models=305, shift=shift)
        ours, others = scores[:5], scores[5:]
        found = place(before_the_end(ours), [s.public for s in others], sizes)
        chosen = _chosen(ours, sizes)
        rank = 1 + sum(s.private > chosen for s in others)
        covered += found.lowest <= rank <= found.highest
        widths.append((found.highest - found.lowest) / found.n_teams)
    return {"shift": shift, "covered": rate(covered, n), "width": f"{np.mean(widths):.0%} of teams"}


def _chosen(ours: list[Scores], sizes: Rows) -> float:
    from fastkaggle_plus.evidence.selection import best_pair

    pair = best_pair(before_the_end(ours), sizes)
    return max(s.private for s in ours if s.ref in pair.refs)
