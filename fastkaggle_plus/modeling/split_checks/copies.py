"""Copies: rows, images or texts that are there twice, across folds or in train and test."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ...data import Data
from ...folds import Folds
from ...metrics import Metric
from ..model import Array
from ..quick_effect import group_effect
from .near_copies import Pairs, image_pairs, text_pairs
from .split_finding import LEVEL, Finding
from .twins import surplus_of_twins

_MORE = 0.01  # share of validation rows with a copy beyond that of test rows
_ALIKE = 0.05  # of the standard deviation: values that differ by less are the same target


@dataclass(frozen=True)
class Copies:
    """Which rows are copies of each other."""

    what: str  # rows | images | texts
    column: str
    cluster: Array  # (n_train + n_test,) codes: copies have the same
    p_value: float  # by chance, as few near misses for as many copies; see `_chance`
    looked_at: str = ""  # a note, if not all rows were compared

    @property
    def are_by_chance(self) -> bool:
        """Say whether chance explains that rows are equal, as in a table of few categories."""
        return self.p_value >= LEVEL


def copy_groups(data: Data) -> Array:
    """Return (n_train,) codes of the training rows: copies of each other have the same code.

    Use them as `groups` of `make_folds` to keep copies in one fold.
    """
    return find_copies(data).cluster[: len(data.train)]


def find_copies(data: Data) -> Copies:
    """Find equal rows; of images and texts also nearly equal ones."""
    if data.train.images is not None and data.test.images is not None:
        pairs = image_pairs([*data.train.images, *data.test.images])
        return _of_pairs("images", "image", pairs)
    if data.train.texts is not None and data.test.texts is not None:
        parts = pd.concat([data.train.texts, data.test.texts], ignore_index=True)
        joined = parts.astype(str).agg("\n".join, axis=1).tolist()
        return _of_pairs("texts", ", ".join(map(str, parts)), text_pairs(joined))
    return _equal_rows(data)


def check_copies(
    copies: Copies, data: Data, folds: Folds, *, metric: str | Metric = ""
) -> Iterator[Finding]:
    """Yield copies across folds, in train and test, and with different targets.

    Across folds they matter if test rows have fewer copies in train than validation rows have in
    their training rows. Otherwise the split mimics train -> test.
    """
    n, what, cluster = len(data.train), copies.what, copies.cluster
    more = surplus_of_twins(cluster, folds)
    if more.difference > _MORE and more.p_value < LEVEL:
        codes = np.unique(cluster[:n], return_inverse=True)[1]
        yield Finding(
            f"copies of {what} across folds",
            copies.column,
            f"{more.validation:.1%} of the validation rows have a copy in their training rows, and "
            f"{more.test:.1%} of the test rows have one in train{copies.looked_at}.",
            "Keep copies in one fold: make_folds(data.targs, groups=copy_groups(data), "
            'kind="stratified-group"); or remove them.',
            group_effect(data, folds, codes, metric=metric, name="with copies in one fold"),
            more.p_value,
            more.test_name,
        )
    if copies.are_by_chance:
        return
    test = "binomial test of copies against near misses"
    if n_test := int(np.isin(cluster[n:], cluster[:n]).sum()):
        yield Finding(
            f"train {what} in test",
            copies.column,
            f"{n_test} of {len(data.test)} test rows are copies of training rows"
            f"{copies.looked_at}.",
            "Their targets are known: a model that memorizes gets a good score on them, and only "
            "on them. Judge models without them, too.",
            p_value=copies.p_value,
            test=test,
        )
    if conflicts := _n_conflicts(data, cluster[:n]):
        yield Finding(
            f"copies of {what} with other targets",
            copies.column,
            f"{conflicts} training rows are copies of a row with another target{copies.looked_at}.",
            "No model can be right on all of them. Look at them, and correct or remove them.",
            p_value=copies.p_value,
            test=test,
        )


def _equal_rows(data: Data) -> Copies:
    """Return rows with equal cells in all columns that train and test share, but id and target."""
    cells = shared_cells(data)
    columns = [np.asarray(pd.factorize(cells[c], use_na_sentinel=False)[0]) for c in cells]
    columns = [c for c in columns if c.max(initial=0) > 0]
    n = len(data.train) + len(data.test)
    if not columns:
        return Copies("rows", "all columns", np.arange(n), 1.0)
    hashes = [pd.util.hash_array(c.astype(np.uint64) * len(columns) + j) for j, c in
              enumerate(columns)]  # fmt: skip
    whole = np.sum(hashes, axis=0, dtype=np.uint64)
    cluster = np.unique(whole, return_inverse=True)[1]
    n_equal = _n_pairs(cluster)
    near = sum(_n_pairs(np.unique(whole - h, return_inverse=True)[1]) - n_equal for h in hashes)
    # The root leaves room for columns that depend on each other.
    agree = np.sqrt([max(_n_pairs(c), 1) / (n * (n - 1) / 2) for c in columns])
    by_chance = 1 / (1 + float(((1 - agree) / agree).sum()))
    sizes = np.bincount(cluster)
    n_rows = int(sizes[sizes > 1].sum())
    return Copies("rows", "all columns", cluster, _chance(n_equal, near, n_rows, by_chance))


def _of_pairs(what: str, column: str, pairs: Pairs) -> Copies:
    n_rows = len(np.unique(pairs.copies))
    p_value = _chance(len(pairs.copies), pairs.n_near, n_rows, 0.5)
    return Copies(what, column, pairs.clusters(), p_value, pairs.looked_at)


def _chance(n_copies: int, n_near: int, n_rows: int, by_chance: float) -> float:
    """Return the p-value of so many copies among pairs that are equal or nearly equal.

    Rows that agree by chance agree more often in all columns but one than in all columns, and
    images that are similar by chance are more often somewhat similar than very similar. Copies
    have no near misses. Pairs of one row depend on each other: the test counts at most as many
    pairs as rows.
    """
    from scipy.stats import binomtest

    if not n_copies:
        return 1.0
    n = max(min(n_copies + n_near, n_rows), 1)
    k = round(n * n_copies / (n_copies + n_near))
    return float(binomtest(k, n, by_chance, alternative="greater").pvalue)


def _n_pairs(codes: Array) -> int:
    sizes = np.bincount(codes).astype(np.int64)
    return int((sizes * (sizes - 1) // 2).sum())


def _n_conflicts(data: Data, cluster: Array) -> int:
    """Return the number of training rows with a copy that has another target."""
    targs = pd.DataFrame(np.asarray(data.targs).reshape(len(data.train), -1))
    by = targs.groupby(cluster)
    spread = by.transform("max") - by.transform("min")
    limit = 0.0 if data.vocab else _ALIKE * targs.std().to_numpy()
    return int((spread > limit).any(axis=1).sum())


def shared_cells(data: Data) -> pd.DataFrame:
    """Return the cells of all train rows, then test rows: no ids and targets, no constants."""
    known = {*map(str, data.sample.columns)}
    known |= {c for c, why in data.left_out.items() if why == "id"}
    train, test = data.raw_train, data.raw_test
    names = [c for c in train if c in test and str(c) not in known]
    both = pd.concat([train[names], test[names]], ignore_index=True)
    return both[[c for c in names if both[c].nunique(dropna=False) > 1]]
