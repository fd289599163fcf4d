"""Permutation importance: how much worse the out-of-fold score gets if a column is shuffled."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ...data import Table
from ...metrics import standard_error
from ...ui.records import Records, Row
from ..model import Array
from .fold_models import FoldModels, with_values


@dataclass(frozen=True)
class Importance(Row):
    """What the models lose without the information of a column."""

    column: str
    features: tuple[str, ...]  # shuffled together
    loss: float  # of the score; positive: worse without the column's information
    low: float  # ends of the 95% interval
    high: float

    @property
    def is_seen(self) -> bool:
        """Whether the interval is above zero."""
        return self.low > 0

    def as_row(self) -> dict[str, object]:
        """Return the cells of a table."""
        interval = f"{self.low:+.4f} to {self.high:+.4f}"
        return {"column": self.column, "loss": f"{self.loss:+.4f}", "95% interval": interval}


def permutation_importance(
    models: FoldModels,
    *,
    groups: Mapping[str, Sequence[str]] | None = None,  # name -> features; None: by source column
    n_repeats: int = 3,
    seed: int = 42,
) -> Records[Importance]:
    """Return how much worse the score gets if columns are shuffled, most important first.

    Each fold's model predicts its own validation rows, and a column is shuffled among these. The
    interval is that of the paired differences of rows (or groups of rows), so that it also counts
    how few rows there are; scikit-learn's `permutation_importance` has the spread of repeats only.
    Of columns that say the same, each alone looks unimportant: give them as one group.
    Sources: Breiman, Random forests (2001); Fisher, Rudin and Dominici (2019).
    """
    from scipy.stats import t

    metric, base = models.preds.scoring, models.preds.pseudo_values
    sign = 1 if metric.higher_is_better else -1
    found = []
    for name, features in (models.sources if groups is None else groups).items():
        losses = np.zeros(len(base))
        for repeat in range(n_repeats):
            rng = np.random.default_rng((seed, repeat))
            shuffled = models.after(lambda table, r=rng, f=features: _shuffled(table, f, r))
            losses += sign * (base - shuffled.pseudo_values) / n_repeats
        half = standard_error(losses) * t.ppf(0.975, len(losses) - 1)
        loss = float(losses.mean())
        found.append(Importance(name, tuple(features), loss, loss - half, loss + half))
    return Records(sorted(found, key=lambda row: -row.loss))


def _shuffled(table: Table, features: Sequence[str], rng: np.random.Generator) -> Table:
    """Return the table with some features in another order of rows, the same for all of them."""
    order: Array = rng.permutation(len(table))
    table.only(features)  # raises UnknownName
    return with_values(table, {f: table.x[f].array[order] for f in features})
