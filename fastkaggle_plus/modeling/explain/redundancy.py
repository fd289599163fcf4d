"""Redundant features: which ones rank the rows in the same order, as a tree of clusters."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ...data import Table
from ...ui.records import Shown
from ..model import Array
from ..quick_effect import sampled
from ..tabular.encoders import OrdinalEncoder

_MOST_ROWS = 20_000


@dataclass(frozen=True, eq=False, repr=False)
class Redundancy(Shown):
    """Clusters of features by the size of their rank correlation."""

    names: tuple[str, ...]
    linkage: Array  # (n_features - 1, 4), of scipy; distance = 1 - correlation
    threshold: float  # correlation from which features are redundant
    groups: tuple[tuple[str, ...], ...]  # of redundant features

    def _facts(self) -> dict[str, object]:
        found = {f"group {i + 1}": ", ".join(g) for i, g in enumerate(self.groups)}
        what = f"rank correlation of at least {self.threshold:g}"
        return {"features": len(self.names), "redundant": what, **(found or {"groups": "none"})}


def redundant_columns(table: Table, *, threshold: float = 0.9) -> Redundancy:
    """Return the clusters of a table's features by rank correlation, and the redundant groups.

    Spearman's correlation counts without its sign. Levels of a category have no order: they are
    ranked by name and by frequency, and the larger correlation counts, so that a category and the
    same with other names are redundant. Clusters are joined by average distance.
    Source: fastbook, chapter 9 (`cluster_columns`).
    """
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    table = table.take(sampled(len(table), _MOST_ROWS))
    names = [*table.cat_names, *table.cont_names]
    if len(names) < 2:
        return Redundancy(tuple(names), np.empty((0, 4)), threshold, ())
    codes = pd.DataFrame(OrdinalEncoder(table).codes(table), columns=list(table.cat_names))
    counts = codes.apply(lambda column: column.map(column.value_counts()))
    by_name, by_count = (
        codes.join(table.x[list(table.cont_names)]).corr("spearman").abs().fillna(0).to_numpy()
        for codes in (codes, counts)
    )
    distance = 1 - np.maximum(by_name, by_count).round(6)
    np.fill_diagonal(distance, 0)
    tree = linkage(squareform(distance), "average")
    cluster = pd.Series(fcluster(tree, 1 - threshold, "distance"), names)
    groups = [tuple(map(str, g.index)) for _, g in cluster.groupby(cluster) if len(g) > 1]
    return Redundancy(tuple(names), tree, threshold, tuple(groups))
