"""Average members in blocks of rows: plain, by ranks, or geometrically."""

from collections.abc import Callable, Sequence

import numpy as np

from ..data import Array
from ..exceptions import DataError
from ..predictions import Predictions
from .pool import blocks

# What a method returns: weights of the test rows, combined oof, combined test predictions
Combined = tuple[Array, Array, Array]
Change = Callable[[Array], Array]  # of predictions (n, n_outputs), before they are averaged
_LEAST_P = 1e-15


def average(
    arrays: Sequence[Array],  # (n, n_outputs) of each member
    shares: Array,  # (members,)
    *,
    rows: Array | None = None,  # positions of the rows; None: all
    changes: Sequence[Change] | None = None,
) -> Array:
    """Return the weighted sum (n, n_outputs) of the rows, without a second copy of all members."""
    used = [int(i) for i in np.flatnonzero(shares)]
    n, n_outputs = len(arrays[0]) if rows is None else len(rows), arrays[0].shape[1]
    out = np.zeros((n, n_outputs))
    for block in blocks(n, 8 * len(arrays) * n_outputs):
        at = block if rows is None else rows[block]
        for i in used:  # one by one: the place of a row does not change its rounding
            preds = arrays[i][at]
            out[block] += shares[i] * (changes[i](preds) if changes else preds)
    return out


def weighted_mean(members: Sequence[Predictions], shares: Array) -> Combined:
    """Average the predictions."""
    return (
        shares,
        average([m.oof for m in members], shares),
        average([m.test for m in members], shares),
    )


def rank_mean(members: Sequence[Predictions], shares: Array) -> Combined:
    """Average ranks among the out-of-fold predictions instead of the predictions."""
    rows = validated(members)
    changes = [_ranks_in(m.oof[rows]) for m in members]
    return (
        shares,
        average([m.oof for m in members], shares, changes=changes),
        average([m.test for m in members], shares, changes=changes),
    )


def geometric_mean(members: Sequence[Predictions], shares: Array) -> Combined:
    """Average the logarithms of the predictions; class rows sum to one. Raises DataError."""
    has_classes = bool(members[0].vocab)
    for m in members:
        if not has_classes and not (np.nanmin(m.oof) > 0 and np.min(m.test, initial=1) > 0):
            raise DataError(
                f'method="geometric" needs predictions above 0, and {m.name} has others. Use mean.'
            )

    def log(preds: Array) -> Array:
        return np.log(np.clip(preds, _LEAST_P, None)) if has_classes else np.log(preds)

    def mean(arrays: list[Array]) -> Array:
        preds = np.exp(average(arrays, shares, changes=[log] * len(members)))
        return preds / preds.sum(1, keepdims=True) if has_classes else preds

    return shares, mean([m.oof for m in members]), mean([m.test for m in members])


def validated(members: Sequence[Predictions]) -> Array:
    """Return a mask of the rows that every member predicted out of fold."""
    return np.all([m.validated for m in members], axis=0)


def _ranks_in(reference: Array) -> Change:
    """Return a function to the share of the reference at or below; class rows sum to one."""
    columns = np.sort(reference, axis=0).T

    def ranks(preds: Array) -> Array:
        below = [np.searchsorted(c, p, side="right") for c, p in zip(columns, preds.T, strict=True)]
        shares = np.where(np.isnan(preds), np.nan, np.stack(below, 1) / len(reference))
        return shares / shares.sum(1, keepdims=True).clip(1e-9) if len(columns) > 1 else shares

    return ranks
