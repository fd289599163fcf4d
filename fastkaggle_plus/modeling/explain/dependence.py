"""Partial dependence: the mean prediction as one or two features change, and that of each row."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from ...exceptions import DataError
from ...ui.records import Shown
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
        return bool(np.ptp(self.mean[is_beyond]) <= _FLAT * np.ptp(self.mean[~is_beyond]))

    def _facts(self) -> dict[str, object]:
        mean = f"{self.mean.min():.4g} to {self.mean.max():.4g}"
        return {"columns": ", ".join(self.columns), "predicts": self.output, "mean": mean}


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
    grid, inside = [_points(few, c, n_points) for c in columns], None
    if beyond:
        if column not in models.data.train.cont_names:
            raise DataError(f"Only numbers have a training range, and {column!r} is not one.")
        values = models.data.train.x[column]
        low, high = inside = float(values.min()), float(values.max())
        last = np.nanmax([models.data.test.x[column].max(), high + (high - low) / 4])
        after = np.linspace(high, last, n_points)
        grid = [np.concatenate([np.linspace(low, high, n_points), after[1:]])]
    cells = np.meshgrid(*grid, indexing="ij")
    place, output = models.output_of()
    curves = []
    for k, table in enumerate(few.tables):
        if n := len(table):
            new = {c: np.tile(g.ravel(), n) for c, g in zip(columns, cells, strict=True)}
            changed = with_values(table.take(np.repeat(np.arange(n), cells[0].size)), new)
            curves.append(models.predict(k, changed)[:, place].reshape(n, *map(len, grid)))
    return Dependence(columns, tuple(grid), np.concatenate(curves), output, inside)


def interactions(
    models: FoldModels, columns: Sequence[str], *, n_points: int = 6, n_rows: int = 150
) -> pd.DataFrame:
    """Return what each pair of features does together beyond the sum, the largest first.

    Columns: first, second, SD (of that part, in the unit of the prediction) and H (its share of the
    joint effect, 0 to 1; of weak columns it is large by chance).
    Source: Friedman and Popescu, Predictive learning via rule ensembles (2008).
    """
    found = []
    for a, b in combinations(columns, 2):
        both = partial_dependence(models, a, b, n_points=n_points, n_rows=n_rows).mean
        joint = both - both.mean()
        together = joint - joint.mean(1, keepdims=True) - joint.mean(0, keepdims=True)
        found.append((a, b, together.std(), together.std() / max(joint.std(), 1e-12)))
    pairs = pd.DataFrame(found, columns=["first", "second", "SD", "H"])
    return pairs.sort_values("SD", ascending=False, ignore_index=True)


def _points(models: FoldModels, column: str, n_points: int) -> Array:
    """Return the values that a feature takes in turn: levels, or quantiles of numbers."""
    known = pd.concat([t.x[column].astype(object) for t in models.tables]).dropna()
    if column in models.tables[0].cat_names:
        points = known.value_counts().index[:_MOST_LEVELS].to_numpy(dtype=object)
    elif len(points := np.unique(known.to_numpy(dtype=float))) > n_points:
        points = np.unique(np.quantile(known.astype(float), np.linspace(*_ENDS, n_points)))
    if len(points) < 2:
        raise DataError(f"Cannot vary {column!r}: its rows have {len(points)} known value.")
    return points
