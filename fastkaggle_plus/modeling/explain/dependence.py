"""Partial dependence: the mean prediction as one or two features change, and that of each row."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from ...exceptions import DataError
from ...ui.records import Records, Row, Shown
from ..model import Array
from .fold_models import FoldModels, with_values

_ENDS = (0.05, 0.95)  # quantiles between which a number is varied, as in scikit-learn
_MOST_LEVELS = 12  # of a category: the most frequent ones
_FLAT = 1e-3  # of the range of the predictions inside: they do not move beyond it


@dataclass(frozen=True, eq=False, repr=False)
class Dependence(Shown):
    """Predictions at the points of a grid, out of fold."""

    columns: tuple[str, ...]  # one or two
    grid: tuple[Array, ...]  # of each column: numbers or levels
    curves: Array  # (n_rows, n_points) or (n_rows, n_points, n_other): of single rows (ICE)
    output: str  # what is predicted
    inside: tuple[float, float] | None = None  # training range, if the grid goes beyond it

    @property
    def mean(self) -> Array:
        """Mean prediction at each point: the partial dependence."""
        return np.asarray(self.curves.mean(0))

    @property
    def is_flat_beyond(self) -> bool:
        """Whether the mean prediction does not move beyond the training range."""
        if self.inside is None:
            return False
        is_beyond = self.grid[0] >= self.inside[1]
        moved = np.ptp(self.mean[is_beyond]) if is_beyond.any() else 0.0
        return bool(moved <= _FLAT * np.ptp(self.mean[~is_beyond]))

    def _facts(self) -> dict[str, object]:
        low, high = self.mean.min(), self.mean.max()
        beyond = f"beyond {self.inside[0]:g} to {self.inside[1]:g}" if self.inside else ""
        facts = {"predicts": self.output, "mean prediction": f"{low:.4g} to {high:.4g}"}
        return {"columns": ", ".join(self.columns), **facts, "goes": beyond}


@dataclass(frozen=True)
class Interaction(Row):
    """How much of the joint effect of two features is not the sum of their single effects."""

    columns: tuple[str, str]
    size: float  # standard deviation of that part, in the unit of the prediction
    strength: float  # Friedman's H, its share from 0 to 1; of weak columns it is large by chance
    dependence: Dependence = dataclasses.field(repr=False)

    def as_row(self) -> dict[str, object]:
        """Return the cells of a table."""
        columns = " x ".join(self.columns)
        return {"columns": columns, "SD": f"{self.size:.3g}", "H": f"{self.strength:.2f}"}


def partial_dependence(
    models: FoldModels,
    column: str,  # a feature
    other: str = "",  # a second one
    *,
    n_points: int = 20,  # of a number: its quantiles
    n_rows: int = 300,  # each predicted by its fold's model
    beyond: bool = False,  # vary a number past its training range: to the test rows, or a quarter
) -> Dependence:
    """Return the predictions of some rows as a feature changes, everything else as it is.

    Raises UnknownName, and DataError for a feature without two values.
    Source: Friedman, Greedy function approximation (2001); Goldstein et al. for the single rows.
    """
    few, columns = models.sample(n_rows), tuple(filter(None, (column, other)))
    few.tables[0].only(columns)
    grid = [_points(few, c, n_points) for c in columns]
    inside = None
    if beyond:
        grid, inside = [_beyond(models, column, n_points)], _training_range(models, column)
    cells = [g.ravel() for g in np.meshgrid(*(np.arange(len(g)) for g in grid), indexing="ij")]
    place, output = models.output_of()
    curves = []
    for k, table in enumerate(few.tables):
        if n := len(table):
            repeated = table.take(np.repeat(np.arange(n), len(cells[0])))
            values = {
                c: np.tile(g[cell], n) for c, g, cell in zip(columns, grid, cells, strict=True)
            }
            preds = models.predict(k, with_values(repeated, values))[:, place]
            curves.append(preds.reshape(n, *map(len, grid)))
    return Dependence(columns, tuple(grid), np.concatenate(curves), output, inside)


def interactions(
    models: FoldModels, columns: Sequence[str], *, n_points: int = 6, n_rows: int = 150
) -> Records[Interaction]:
    """Return what each pair of features does together beyond the sum, the largest first.

    Source: Friedman and Popescu, Predictive learning via rule ensembles (2008).
    """
    found = []
    for a, b in combinations(columns, 2):
        both = partial_dependence(models, a, b, n_points=n_points, n_rows=n_rows)
        joint = both.mean - both.mean.mean()
        single = joint.mean(1, keepdims=True) + joint.mean(0, keepdims=True)
        size, of = float((joint - single).std()), max(float(joint.std()), 1e-12)
        found.append(Interaction((a, b), size, size / of, both))
    return Records(sorted(found, key=lambda row: -row.size))


def _points(models: FoldModels, column: str, n_points: int) -> Array:
    """Return the values that a feature takes in turn: levels, or quantiles of numbers."""
    known = pd.concat([t.x[column].astype(object) for t in models.tables]).dropna()
    if column in models.tables[0].cat_names:
        points = known.value_counts().index[:_MOST_LEVELS].to_numpy(dtype=object)
    else:
        numbers = known.to_numpy(dtype=float)
        points = np.unique(numbers)
        if len(points) > n_points:
            points = np.unique(np.quantile(numbers, np.linspace(*_ENDS, n_points)))
    if len(points) < 2:
        raise DataError(f"Cannot vary {column!r}: its rows have {len(points)} known value.")
    return points


def _training_range(models: FoldModels, column: str) -> tuple[float, float]:
    if column not in models.data.train.cont_names:
        raise DataError(f"Only numbers have a training range, and {column!r} is not one of them.")
    values = models.data.train.x[column]
    return float(values.min()), float(values.max())


def _beyond(models: FoldModels, column: str, n_points: int) -> Array:
    """Return points in the training range and beyond its upper end."""
    low, high = _training_range(models, column)
    last = np.nanmax([models.data.test.x[column].max(), high + (high - low) / 4])
    return np.concatenate([np.linspace(low, high, n_points), np.linspace(high, last, n_points)[1:]])
