"""Row order: whether the order of the rows or parts of their ids predict the target."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from ...data import Data
from ...folds import Folds
from ...metrics import Metric
from ..model import Array
from ..quick_effect import column_effect
from .split_finding import LEVEL, Finding

_MOST_BINS, _ROWS_A_CELL = 20, 5  # of the table of values and classes
_LEVELS = 5  # classes of a regression: ranges with equally many rows
_MOST_WORDS = 50  # different words in ids
_IN_ORDER = "order of the rows"
_BEFORE = "target of the row before"


def check_row_order(
    data: Data,
    folds: Folds,
    *,
    groups: Array | None = None,  # (n_train,) rows that belong together, and may follow each other
    metric: str | Metric = "",
) -> Iterator[Finding]:
    """Yield what predicts the target although it should not: the row order, or parts of the id.

    Each is tested with a chi-square test; the p-values are multiplied by their number
    (Bonferroni). Of each group only the first row counts.
    """
    targs = np.asarray(data.targs).reshape(len(data.train), -1).mean(1)
    rows = np.arange(len(targs))
    if groups is not None:
        rows = np.sort(np.unique(groups.astype(str), return_index=True)[1])
    classes = targs.astype(int) if data.vocab else _ranges(targs, _LEVELS)
    candidates = {k: v[rows] for k, v in _parts_of_ids(data).items()}
    if not _is_in_class_folders(data):
        candidates[_IN_ORDER] = rows
        candidates[_BEFORE] = classes[np.maximum(rows - 1, 0)]
    for name, values in candidates.items():
        # of overlapping pairs of rows, every second one is left out
        step = slice(1, None, 2) if name == _BEFORE else slice(None)
        p_value = min(_p_value(values[step], classes[rows][step]) * len(candidates), 1.0)
        if p_value < LEVEL:
            whole = {**_parts_of_ids(data), _IN_ORDER: np.arange(len(targs))}.get(name)
            yield Finding(
                "row order" if name in (_IN_ORDER, _BEFORE) else "id",
                name if name in (_IN_ORDER, _BEFORE) else str(data.sample.columns[0]),
                f"The {name} predicts the target.",
                "If test rows are in the same order, models can use it; if not, it misleads them: "
                "keep it out of the features. Rows that follow each other may belong together: "
                "split by what they share.",
                None if whole is None else column_effect(data, folds, name, whole, metric=metric),
                p_value,
                "chi-square test, Bonferroni",
            )


def _parts_of_ids(data: Data) -> dict[str, Array]:
    """Return numbers made of the ids: their number, its last digit, their words."""
    ids = pd.Series(data.ids).astype(str)
    found: dict[str, Array] = {}
    digits = ids.str.extract(r"(\d{1,15})\D*$")[0]
    if digits.notna().all():
        number = digits.astype(np.int64).to_numpy()
        found["last digit of the id"] = number % 10
        if (np.diff(number) < 0).any():  # else it is the order of the rows
            found["number in the id"] = number
    words = ids.str.replace(r"\d+", "", regex=True)
    if 2 <= words.nunique() <= _MOST_WORDS:
        found["word in the id"] = np.asarray(pd.factorize(words)[0])
    return {k: v for k, v in found.items() if len(np.unique(v)) > 1}


def _is_in_class_folders(data: Data) -> bool:
    """Say whether each class has its folder of images: then their order is that of the folders."""
    folders = {f.rpartition("/")[0] for f in data.train.images or () if f}
    return len(folders) > 1


def _ranges(values: Array, n: int) -> Array:
    """Return the codes of n ranges with about equally many rows."""
    edges = np.unique(np.quantile(values, np.linspace(0, 1, n + 1)[1:-1]))
    return np.searchsorted(edges, values, side="right")


def _p_value(values: Array, classes: Array) -> float:
    """Return the p-value of a chi-square test of independence; rare classes count as one."""
    from scipy.stats import chi2_contingency

    n_classes = len(np.unique(classes))
    n_bins = int(np.clip(len(values) // (_ROWS_A_CELL * max(n_classes, 2)), 2, _MOST_BINS))
    if len(np.unique(values)) > n_bins:
        values = _ranges(values, n_bins)
    n_bins = len(np.unique(values))
    counts = np.bincount(classes)
    classes = np.where(counts[classes] < _ROWS_A_CELL * n_bins, -1, classes)
    table = pd.crosstab(values, classes).to_numpy()
    if min(table.shape) < 2:
        return 1.0
    return float(chi2_contingency(table, correction=False).pvalue)
