"""The same trial with other seeds: what of a score is luck."""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ..competition import Competition
from ..exceptions import ConfigError
from ..predictions import Predictions
from .board import TrialResult
from .budget import defaults_of
from .trial import Trial

_REPEAT = re.compile(r"^(?P<name>.+) #(?P<number>[2-9]|[1-9][0-9]+)$")


@dataclass(frozen=True)
class Spread:
    "One trial's scores over its seeds."

    name: str
    n: int  # seeds
    mean: float  # of their oof_scores
    sd: float  # and their standard deviation
    lowest: float
    highest: float


def repeated(
    trials: Iterable[Trial],
    n: int,  # how often each runs
    *,
    comp: Competition,  # where the models are found
) -> tuple[Trial, ...]:
    """Return each trial n times: as it is, and as "name #2", "name #3", ... with the seeds that follow its own.

    Only the first of each joins the ensemble. Raises ConfigError for a trial whose model takes no seed.
    """
    if n < 1:
        raise ConfigError(f"{n} repeats: each trial runs at least once.")
    trials = tuple(trials)
    if n == 1:
        return trials
    said = {t.name: t.params.get("seed", defaults_of(t.model, comp).get("seed")) for t in trials}
    seeds = {name: seed for name, seed in said.items() if isinstance(seed, int)}
    if seedless := [name for name in said if name not in seeds]:
        raise ConfigError(
            f"These trials cannot be repeated, as their models take no `seed` and would answer the same each time: {', '.join(seedless)}. "
            "Leave them out (--trials names those to run), or give their functions one."
        )
    more = [
        replace(
            t,
            name=f"{t.name} #{i + 1}",
            params={**t.params, "seed": seeds[t.name] + i},
            in_ensemble=False,
        )
        for i in range(1, n)
        for t in trials
    ]
    return (*trials, *more)


def repeat_spread(results: Sequence[TrialResult | Predictions]) -> list[Spread]:
    "Return the mean and spread over seeds of each trial that finished more than once, in the order of the results."
    done = {
        p.name: p.oof_score
        for r in results
        if (p := r if isinstance(r, Predictions) else r.predictions) is not None
    }
    scores: dict[str, list[float]] = {}
    for name, score in done.items():
        repeat = _REPEAT.match(name)
        scores.setdefault(repeat["name"] if repeat else name, []).append(score)
    return [
        Spread(name, len(s), statistics.fmean(s), statistics.stdev(s), min(s), max(s))
        for name, s in scores.items()
        if len(s) > 1
    ]
