"""Pool the repeats of each trial: a mean score with its error, and one value per unit."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ..exceptions import DataError
from ..metrics import standard_error
from ..predictions import Predictions, recipe_of


@dataclass(frozen=True, eq=False)
class Pooled:
    """One trial with its repeats: "name", "name #2", "name #3", ..."""

    name: str
    repeats: tuple[Predictions, ...]  # in the order of their numbers
    numbers: tuple[int, ...]  # of the repeats

    @cached_property
    def score(self) -> float:
        """The mean score of the repeats."""
        return float(np.mean([preds.oof_score for preds in self.repeats]))

    @cached_property
    def values(self) -> np.ndarray:
        """Pseudo-values (n_units,): means over the repeats where all validated the same rows."""
        each = [preds.pseudo_values for preds in self.repeats]
        rows = self.repeats[0].validated
        same = all(np.array_equal(preds.validated, rows) for preds in self.repeats)
        return np.mean(each, 0) if same else np.concatenate(each)  # repeats of a holdout

    @property
    def score_se(self) -> float:
        """Standard error of `score`: of the units, and of the repeats.

        The sum of both variances, as in a crossed design with random units and random repeats. It
        counts their interaction twice, which is a small part.
        """
        se = standard_error(self.values)
        if len(self.repeats) == 1:
            return se
        spread = np.var([preds.oof_score for preds in self.repeats], ddof=1)
        return float(np.sqrt(se**2 + spread / len(self.repeats)))


def pooled(trials: Sequence[Predictions]) -> list[Pooled]:
    """Return each trial with its repeats, best first; of equal scores the first stays first."""
    found: dict[str, dict[int, Predictions]] = {}
    for preds in trials:
        name, number = recipe_of(preds.name)
        found.setdefault(name, {})[number] = preds
    pools = [
        Pooled(name, tuple(repeats[k] for k in sorted(repeats)), tuple(sorted(repeats)))
        for name, repeats in found.items()
    ]
    return sorted(pools, key=lambda pool: -pool.repeats[0].scoring.gain(pool.score, 0))


def unit_values(pools: Sequence[Pooled]) -> np.ndarray:
    """Return (n_units, n_trials) pseudo-values, higher is better, without units that have a NaN."""
    sign = 1 if pools[0].repeats[0].scoring.higher_is_better else -1
    if len({len(pool.values) for pool in pools}) > 1:  # some trials have more repeats of a holdout
        pools = [replace(pool, repeats=pool.repeats[:1]) for pool in pools]
    values = sign * np.stack([pool.values for pool in pools], 1)
    return np.asarray(values[~np.isnan(values).any(1)])


def shared_values(trials: Sequence[Predictions]) -> np.ndarray:
    """Return (n_units, n_trials) pseudo-values of trials on the same rows. Raises DataError."""
    values = np.stack([preds.pseudo_values for preds in on_common_rows(trials)], 1)
    return np.asarray(values[~np.isnan(values).any(1)])


def on_common_rows(trials: Sequence[Predictions]) -> list[Predictions]:
    """Return trials in one order of rows, each validated where all repeats of its number are.

    Raises DataError when trials have different metrics, rows or targets.
    """
    trials = [preds.aligned_with(trials[0]) for preds in trials]
    masks: dict[int, np.ndarray] = {}
    for preds in trials:
        number = recipe_of(preds.name)[1]
        masks[number] = masks.get(number, True) & preds.validated
    return [_restricted(preds, masks[recipe_of(preds.name)[1]]) for preds in trials]


def _restricted(preds: Predictions, rows: np.ndarray) -> Predictions:
    if np.array_equal(preds.validated, rows):
        return preds  # with its cached pseudo-values
    if not rows.any():
        raise DataError(
            f"Cannot compare {preds.name} with the other trials: they share no validated row. Use "
            "one fold assignment for all."
        )
    return replace(preds, folds=np.where(rows, preds.folds, -1))
