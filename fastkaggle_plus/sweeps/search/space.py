"""Declare a search or a grid: plain data that says which parameters of a trial to vary."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np

from ...competition import Competition
from ...exceptions import ConfigError, UnknownName
from ...ui.records import Shown
from ..trial import Trial

SAMPLERS = ("tpe", "random")
PRUNING = ("folds", "none")


@dataclass(frozen=True)
class Range:
    """The values to try of one parameter: whole numbers if both ends are, else all numbers.

    `log=True` tries as many values from 0.001 to 0.01 as from 0.01 to 0.1.
    """

    low: float
    high: float  # included
    log: bool = False

    def __post_init__(self) -> None:
        if not (-math.inf < self.low < self.high < math.inf):
            raise ConfigError(f"{self}: expected two finite numbers, the lower one first.")
        if self.log and self.low <= 0:
            raise ConfigError(f"{self}: with log=True the lower end must be above 0.")
        if self.is_whole and self.high - self.low < 2:
            raise ConfigError(
                f"{self} has two whole numbers. Write [{self.low}, {self.high}] for a choice "
                f"between them, or Range({self.low}.0, {self.high}.0) for all numbers."
            )

    @property
    def is_whole(self) -> bool:
        """Whether only whole numbers are tried."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    def rounded(self, value: float) -> float:
        """Return a value of the range with few digits: about a hundred levels are enough."""
        if self.is_whole:
            return int(value)
        digits = 2 - math.floor(math.log10(value if self.log else self.high - self.low))
        return min(max(round(value, digits), self.low), self.high)


@dataclass(frozen=True, repr=False)
class Search(Shown):
    """A trial, and the space in which other values of its parameters are tried."""

    trial: Trial  # its name, model and fixed parameters
    space: Mapping[str, Range | list[Any]]  # parameter -> a range, or a list of values
    n_trials: int = 40  # to try, including those that are stopped early
    sampler: str = "tpe"  # who suggests the values: tpe (learns from earlier trials) | random
    prune: str = "folds"  # folds: stop a trial after a fold if it looks worse | none
    seed: int = 42  # of the sampler
    batch: int = 4  # trials at a time; each batch learns from those before it

    def __post_init__(self) -> None:
        for what, known in (("sampler", SAMPLERS), ("prune", PRUNING)):
            if (given := getattr(self, what)) not in known:
                raise UnknownName(f"`{what}` of a search", given, known)
        for what in ("n_trials", "batch"):
            if getattr(self, what) < 1:
                raise ConfigError(f"A search needs {what} of 1 or more, got {getattr(self, what)}.")
        if not self.space:
            raise ConfigError('A search needs a space, as in {"max_depth": Range(2, 10)}.')
        for name, values in self.space.items():
            is_list = isinstance(values, list) and len(values) > 1  # (1, 5) may mean a range
            if not (is_list or isinstance(values, Range)):
                raise ConfigError(
                    f"The space of {name}: expected a Range(low, high) or a list of two or more "
                    f"values, got {values!r}."
                )

    def _facts(self) -> dict[str, object]:
        return {
            "trial": f"{self.trial.name} ({self.trial.model})",
            "space": "; ".join(f"{name}: {values}" for name, values in self.space.items()),
            "trials": f"{self.n_trials}, {self.batch} at a time",
            "sampler": f"{self.sampler}, seed {self.seed}",
            "pruning": self.prune,
        }

    def point(self, values: Mapping[str, Any]) -> Trial:
        """Return the trial with these values of the space."""
        return _with(self.trial, values, f"search: {', '.join(self.space)}")


def grid(
    model: str | Trial,  # a model as in Trial.model, or a trial with fixed parameters
    /,
    **values: Iterable[Any],  # parameter -> its values
) -> tuple[Trial, ...]:
    """Return a trial for each combination of values; the last parameter varies fastest.

    grid("forest_model", max_depth=[4, 8], seed=range(3)) has six, from "forest max_depth=4 seed=0".
    Raises ConfigError.
    """
    if isinstance(model, str):
        model = Trial(model.rpartition(".")[2].removesuffix("_model"), model)
    for name, given in values.items():
        if isinstance(given, str) or not isinstance(given, Iterable):
            raise ConfigError(f"A grid needs a list of values: write {name}=[{given!r}].")
    hypothesis = model.hypothesis or f"grid: {', '.join(values)}"
    points = (dict(zip(values, point, strict=True)) for point in product(*values.values()))
    return tuple(_with(model, point, hypothesis) for point in points)


def search_of(comp: Competition, declared: str = "SEARCH") -> Search:
    """Return the search that the competition's trials.py declares. Raises UnknownName."""
    module = comp.module("trials")
    found = {n: v for n, v in vars(module).items() if isinstance(v, Search)} if module else {}
    if declared not in found:
        example = (
            f'{declared} = Search(Trial("forest", "forest_model"), {{"max_depth": Range(2, 10)}})'
        )
        hint = f"Declare it in the competition's trials.py: {example}."
        raise UnknownName("search", declared, found, hint)
    return found[declared]


def _with(trial: Trial, values: Mapping[str, Any], hypothesis: str) -> Trial:
    """Return a trial with these parameters, which its name shows."""
    plain = {k: v.item() if isinstance(v, np.generic) else v for k, v in values.items()}
    name = " ".join([trial.name, *(f"{k}={v}" for k, v in plain.items())])
    params = {**trial.params, **plain}
    return replace(trial, name=name, params=params, hypothesis=hypothesis)
