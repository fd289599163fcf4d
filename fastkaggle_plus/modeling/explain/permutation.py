"""Permutation importance: how much worse the out-of-fold score gets if a column is shuffled."""

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import pandas as pd

from ...data import Table
from ...metrics import standard_error
from .fold_models import FoldModels, with_values


def permutation_importance(
    models: FoldModels,
    groups: Mapping[str, Sequence[str]] | None = None,  # name -> features; None: by source column
    *,
    n_repeats: int = 3,
    seed: int = 42,
) -> pd.DataFrame:
    """Return how much worse the score gets if columns are shuffled, most important first.

    Columns: column, loss (positive: the column helps), low and high (95% interval). Each fold's
    model predicts its own validation rows, and a column is shuffled among these. The interval is
    that of the paired differences of rows (or groups of rows): it counts how few rows there are,
    where scikit-learn's `permutation_importance` has the spread of repeats only. Of columns that
    say the same, each alone looks unimportant: give them as one group.
    Sources: Breiman, Random forests (2001); Fisher, Rudin and Dominici (2019).
    """
    from scipy.stats import t

    base, rows = models.preds.pseudo_values, []
    sign = 1 if models.preds.scoring.higher_is_better else -1
    for name, features in (models.sources if groups is None else groups).items():
        losses = np.zeros(len(base))
        for repeat in range(n_repeats):
            shuffle = partial(_shuffled, features, np.random.default_rng((seed, repeat)))
            losses += sign * (base - models.after(shuffle).pseudo_values) / n_repeats
        loss, half = losses.mean(), standard_error(losses) * t.ppf(0.975, len(losses) - 1)
        rows.append((name, loss, loss - half, loss + half))
    found = pd.DataFrame(rows, columns=["column", "loss", "low", "high"])
    return found.sort_values("loss", ascending=False, ignore_index=True)


def _shuffled(features: Sequence[str], rng: np.random.Generator, table: Table) -> Table:
    """Return the table with some features in another order of rows, the same for all of them."""
    table.only(features)  # raises UnknownName
    order = rng.permutation(len(table))
    return with_values(table, {f: table.x[f].array[order] for f in features})
