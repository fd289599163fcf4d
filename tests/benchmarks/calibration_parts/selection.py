"""The regret of the pair to select, against the usual ways to choose two submissions."""

from collections.abc import Iterator

import numpy as np

from fastkaggle_plus.evidence.gap import Scores
from fastkaggle_plus.evidence.selection import best_pair, worth_sending

from ..simulated import before_the_end, competition

WAYS = ("plan", "best CV + best public", "two best CV", "two best public", "best CV", "best public")


def tables(scale: float, rng: np.random.Generator) -> Iterator[tuple[str, list[dict[str, object]]]]:
    n = max(20, round(200 * scale))
    found = [regrets(rng) for _ in range(n)]
    groups = {"all": found}
    for shift in (0.0, 0.5):
        groups[f"shift {shift:g}"] = [f for f in found if f["shift"] == shift]
    yield (
        f"regret in standard errors of a CV score, {n} competitions; difference to plan, ± its SE",
        [_row(way, groups) for way in WAYS],
    )
    yield "the trial with the largest expected gain, against a trial at random", [_send(n, rng)]


def regrets(rng: np.random.Generator) -> dict[str, float]:
    """Return the regret of each way in one competition: best private score minus that chosen."""
    metric = str(rng.choice(["accuracy", "logloss", "rmse"]))
    shift = float(rng.choice([0.0, 0.5]))
    n_public = int(rng.choice([80, 200, 500]))
    scores, rows = competition(
        rng, metric, n=int(rng.choice([200, 600])), n_public=n_public, n_models=15, shift=shift
    )
    sign = 1 if rows.higher_is_better else -1
    unit = float(np.median([s.se for s in scores]))
    pair = best_pair(before_the_end(scores), rows)
    by_cv = sorted(scores, key=lambda s: -sign * s.cv)
    by_public = sorted(scores, key=lambda s: -sign * s.public)
    choices = {
        "plan": [s for s in scores if s.ref in pair.refs],
        "best CV + best public": [by_cv[0], by_public[0]],
        "two best CV": by_cv[:2],
        "two best public": by_public[:2],
        "best CV": by_cv[:1],
        "best public": by_public[:1],
    }
    best = max(sign * s.private for s in scores)
    lost = {
        k: (best - max(sign * s.private for s in chosen)) / unit for k, chosen in choices.items()
    }
    return {**lost, "shift": shift}


def _row(way: str, groups: dict[str, list[dict[str, float]]]) -> dict[str, object]:
    row: dict[str, object] = {"way": way}
    for name, found in groups.items():
        lost = np.array([f[way] for f in found])
        extra = lost - [f["plan"] for f in found]
        row[name] = f"{lost.mean():.3f}"
        if way != "plan":
            row[name] += f" ({extra.mean():+.3f} ± {extra.std() / np.sqrt(len(extra)):.3f})"
    return row


def _send(n: int, rng: np.random.Generator) -> dict[str, object]:
    gains = {"plan": [], "at random": [], "best CV": []}
    for _ in range(n):
        scores, rows = competition(rng, "accuracy", n=300, n_models=15, shift=0.5)
        unit, sent = scores[0].se, before_the_end(scores[:5])
        trials = [_unsent(s) for s in scores[5:]]
        before = _private(scores, best_pair(sent, rows).refs)
        ways = {
            "plan": worth_sending([*sent, *trials], rows)[0].name,
            "at random": trials[0].name,
            "best CV": max(trials, key=lambda s: s.cv).name,
        }
        for way, name in ways.items():
            now = [*sent, *(s for s in before_the_end(scores) if s.name == name)]
            gains[way].append((_private(scores, best_pair(now, rows).refs) - before) / unit)
    return {
        way: f"{np.mean(g):+.3f} ± {np.std(g) / np.sqrt(len(g)):.3f}" for way, g in gains.items()
    }


def _unsent(s: Scores) -> Scores:
    return Scores(s.name, s.cv, s.se, values=s.values, units=s.units)


def _private(scores: list[Scores], refs: tuple[int, ...]) -> float:
    return max(s.private for s in scores if s.ref in refs)
