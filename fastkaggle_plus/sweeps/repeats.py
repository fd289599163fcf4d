"""Repeat trials with other seeds, to see how much of a score is luck."""

import re
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ..competition import Competition
from ..exceptions import ConfigError
from ..predictions import Predictions
from .board import finished_predictions
from .budget import default_params
from .trial import Trial, TrialResult

_REPEAT = re.compile(r"^(?P<name>.+) #(?:[2-9]|[1-9][0-9]+)$")


@dataclass(frozen=True)
class Spread:
    """The scores of one trial over its seeds."""

    name: str
    n: int  # seeds
    mean: float  # of their oof_scores
    sd: float  # standard deviation
    lowest: float
    highest: float


def repeated(
    trials: Iterable[Trial],
    n: int,  # runs of each trial
    *,
    comp: Competition,  # where the models are looked up
) -> tuple[Trial, ...]:
    """Return each trial n times: unchanged, then as "name #2", "name #3", ... with the next seeds.

    Only the first of each joins the ensemble. Raises ConfigError if a model takes no seed.
    """
    if n < 1:
        raise ConfigError(f"Expected at least 1 run of each trial, got {n} repeats.")
    trials = tuple(trials)
    if n == 1:
        return trials
    given = {t.name: {**default_params(t.model, comp), **t.params} for t in trials}
    seeds = {
        name: (key, p[key])
        for name, p in given.items()
        for key in ("random_state", "seed")
        if isinstance(p.get(key), int)
    }
    seedless = [name for name in given if name not in seeds]
    if seedless:
        raise ConfigError(
            "Cannot repeat trials whose models take no `seed`, as every run would give the same "
            f"result: {', '.join(seedless)}. Give their functions a seed, or leave them out "
            "(--trials names the trials to run)."
        )
    repeats = list(trials)
    for i in range(1, n):
        for t in trials:
            key, seed = seeds[t.name]
            params = {**t.params, key: seed + i}
            name = f"{t.name} #{i + 1}"
            repeats.append(replace(t, name=name, params=params, in_ensemble=False))
    return tuple(repeats)


def repeat_spread(results: Sequence[TrialResult | Predictions]) -> list[Spread]:
    """Return mean and spread over the seeds of each trial that finished at least twice."""
    finished = {p.name: p.oof_score for p in finished_predictions(results)}
    scores: dict[str, list[float]] = {}
    for name, score in finished.items():
        repeat = _REPEAT.match(name)
        scores.setdefault(repeat["name"] if repeat else name, []).append(score)
    return [
        Spread(name, len(s), statistics.fmean(s), statistics.stdev(s), min(s), max(s))
        for name, s in scores.items()
        if len(s) > 1
    ]
