"""Repeat trials with other seeds and splits, and find the repeats of a recipe."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ..competition import Competition
from ..exceptions import ConfigError
from ..predictions import Predictions, recipe_of
from .budget import default_params
from .trial import SEEDS, Trial, TrialResult


@dataclass(frozen=True)
class Spread:
    """The scores of one trial over its repeats."""

    name: str
    n: int  # repeats
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
    """Return each trial n times: unchanged, then as "name #2", "name #3", ...

    Each repeat has the next seed of its model, if that takes one, and runs on another split of the
    rows. Along time there is only one split, so only the seeds differ. Only the first of each joins
    the ensemble. Raises ConfigError if all repeats would give the same result.
    """
    if n < 1:
        raise ConfigError(f"Expected at least 1 run of each trial, got {n} repeats.")
    trials = tuple(trials)
    if n == 1:
        return trials
    seeds = {t.name: _seed(t, comp) for t in trials}
    seedless = [name for name, seed in seeds.items() if not seed]
    if seedless and comp.split.kind == "time":
        raise ConfigError(
            "Cannot repeat trials whose models take no `seed`: along time there is one split, so "
            f"every run would give the same result: {', '.join(seedless)}. Give their functions a "
            "seed, or leave them out (--trials names the trials to run)."
        )
    repeats = list(trials)
    for i in range(1, n):
        for t in trials:
            params = {**t.params, **{key: seed + i for key, seed in seeds[t.name].items()}}
            name = f"{t.name} #{i + 1}"
            repeats.append(replace(t, name=name, params=params, in_ensemble=False))
    return tuple(repeats)


def _seed(trial: Trial, comp: Competition) -> dict[str, int]:
    """Return the parameter that is a trial's seed, with its value; empty without one."""
    given = {**default_params(trial.model, comp), **trial.params}
    for key in SEEDS:
        if isinstance(given.get(key), int):
            return {key: given[key]}
    return {}


def by_recipe(preds: Iterable[Predictions]) -> dict[str, dict[int, Predictions]]:
    """Return the repeats of each recipe by number: {"forest": {1: ..., 2: ...}}."""
    found: dict[str, dict[int, Predictions]] = {}
    for p in preds:
        name, number = recipe_of(p.name)
        found.setdefault(name, {})[number] = p
    return found


def paired_repeats(
    a: dict[int, Predictions], b: dict[int, Predictions]
) -> tuple[list[Predictions], list[Predictions]]:
    """Return the repeats that two recipes share, in order: for `compare_recipes`."""
    shared = sorted(a.keys() & b.keys())
    return [a[k] for k in shared], [b[k] for k in shared]


def repeat_spread(results: Sequence[TrialResult | Predictions]) -> list[Spread]:
    """Return mean and spread over the repeats of each trial that finished at least twice."""
    found = (r if isinstance(r, Predictions) else r.predictions for r in results)
    scores = {
        name: [p.oof_score for p in repeats.values()]
        for name, repeats in by_recipe(p for p in found if p is not None).items()
    }
    return [
        Spread(name, len(s), statistics.fmean(s), statistics.stdev(s), min(s), max(s))
        for name, s in scores.items()
        if len(s) > 1
    ]
