"""Boosted trees with early stopping: find the number of rounds, then fit all rows with it."""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...data import Table
from ..inner_split import inner_split
from ..model import Array, FittedFunction, Model
from .estimators import Encoder, fit_estimators

_PATIENCE = 100  # rounds without improvement after which a search stops
_MOST_ROUNDS = 2000
_FEWEST_ROWS = 60  # with fewer, the rows to validate say little: the number of rounds is fixed
_FIXED_ROUNDS = 150
_LEAST_VALIDATED = 400  # rows in all inner splits: fewer would choose the rounds by chance
_MOST_SPLITS = 3
# With more classes the default settings take less time, as each round fits a tree for each class.
_MANY_CLASSES = 10
_MOST_TREES = 10_000  # of all rounds
_PATIENCE_MANY = 20
_FASTER = 4  # factor of the learning rate, because there are fewer rounds
_MOST_LEARNING_RATE = 0.3

Rows = tuple[Any, Array]  # (features, targets)


@dataclass(frozen=True)
class Booster:
    """One library's boosted trees. Rows are fitted in two steps.

    The first step finds the number of rounds: it fits 80% of the rows and stops when the loss on
    the others does not improve (`inner_split` chooses them by the competition's rule). The second
    step fits all rows, with more rounds in proportion to the rows. With few rows, or one class,
    the number is fixed.

    None for `most_rounds` or `patience` is the default: 2000 and 100. With more than 10 classes
    they are 10,000 trees in all and 20.
    """

    name: str
    # (rows, rounds, number of rows that the rounds were found for) -> an unfitted estimator
    make: Callable[[Table, int, int], Any]
    encoder: Encoder
    # (estimator, rows to fit, rows to validate, patience) -> the best number of rounds
    stop_early: Callable[[Any, Rows, Rows, int], int]
    most_rounds: int | None
    patience: int | None  # 0: always `most_rounds`
    consecutive: bool = False  # it needs classes 0, 1, ... without gaps

    def model(self, about: dict[str, Any]) -> Model:
        """Return the model with its parameters."""
        return Model(self.name, self.fit, about, refit=self.refit)

    def fit(self, table: Table) -> FittedFunction:
        """Find the number of rounds of each target, and fit all rows."""
        rounds = None if self.patience == 0 else self._search(table)
        return self._fit(table, rounds, n_rows=len(table))

    def refit(self, table: Table, notes: Sequence[dict[str, Any]]) -> FittedFunction:
        """Fit all rows with the mean number of rounds of the folds' fits, in proportion to rows.

        The mean is weighted by rows: along time the folds' fits differ in their number, and those
        with most rows are most like this one.
        """
        if self.patience == 0:
            return self.fit(table)
        rows = [note["rows"] for note in notes]
        n_rows = np.average(rows, weights=rows)
        mean = np.average([note["iterations"] for note in notes], axis=0, weights=rows)
        rounds = [max(round(n * len(table) / n_rows), 1) for n in np.atleast_1d(mean)]
        return self._fit(table, rounds, n_rows=round(n_rows))

    def _fit(self, table: Table, rounds: list[int] | None, *, n_rows: int) -> FittedFunction:
        def make(_rows: Table, target: int) -> Any:
            return self.make(table, rounds[target] if rounds else self._most_rounds(table), n_rows)

        fitted = fit_estimators(make, self.encoder, table, consecutive=self.consecutive)
        if not rounds:
            return fitted
        notes = {"iterations": rounds if len(rounds) > 1 else rounds[0], "rows": len(table)}
        return dataclasses.replace(fitted, notes=notes)

    def _most_rounds(self, table: Table) -> int:
        default = _MOST_TREES // len(table.vocab) if has_many_classes(table) else _MOST_ROUNDS
        return self.most_rounds or max(default, 1)

    def _search(self, table: Table) -> list[int]:
        """Return the number of rounds of each target: the median over the inner splits."""
        if len(table) < _FEWEST_ROWS:
            n_targets = 1 if table.vocab else table.n_outputs
            return [min(self._most_rounds(table), _FIXED_ROUNDS)] * n_targets
        n_splits = min(max(round(5 * _LEAST_VALIDATED / len(table)), 1), _MOST_SPLITS)
        has_one_split = table.time is not None  # the latest rows, for every seed
        if has_one_split or has_many_classes(table):
            n_splits = 1
        found = [self._search_split(table, seed) for seed in range(n_splits)]
        return [round(n) for n in np.median(found, axis=0)]

    def _search_split(self, table: Table, seed: int) -> list[int]:
        targs = np.asarray(table.targs).reshape(len(table), -1)
        most = self._most_rounds(table)
        patience = self.patience or (_PATIENCE_MANY if has_many_classes(table) else _PATIENCE)
        rounds = [min(most, _FIXED_ROUNDS)] * targs.shape[1]
        rows, held = inner_split(table, seed=seed)
        if table.vocab:  # only of classes that have rows to fit
            held = held[np.isin(targs[held, 0], targs[rows, 0])]
        fit, valid = table.take(rows), table.take(held)
        encode, _ = self.encoder(fit)
        x, x_valid = encode(fit), encode(valid)
        for target, column in enumerate(targs.T):
            y, y_valid = column[rows], column[held]
            if not len(held) or not np.ptp(y):
                continue
            if table.vocab and self.consecutive:
                y, y_valid = (np.searchsorted(np.unique(y), labels) for labels in (y, y_valid))
            estimator = self.make(table, most, len(table))
            found = self.stop_early(estimator, (x, y), (x_valid, y_valid), patience)
            rounds[target] = round(found * len(table) / len(rows))
        return rounds


def has_many_classes(table: Table) -> bool:
    """Say whether there are so many classes that the default settings save time."""
    return len(table.vocab) > _MANY_CLASSES


def default_learning_rate(
    table: Table,
    usual: float,  # with few classes
) -> float:
    """Return the learning rate where none is declared: larger with many classes."""
    return min(usual * _FASTER, _MOST_LEARNING_RATE) if has_many_classes(table) else usual
