"""Weights and models that are fitted to out-of-fold predictions, and their nested predictions."""

from collections.abc import Callable, Sequence

import numpy as np

from ..data import Array
from ..exceptions import DataError
from ..predictions import Predictions
from .averages import Combined, average, validated
from .greedy import Limits, capped_members, greedy_weights
from .optimum import optimum_weights
from .pool import ORDER_METRICS, Pool, fitted_metric, scales
from .stacking import Stack

FITTED = ("greedy", "optimum", "stack")


def combine_fitted(
    members: Sequence[Predictions],
    method: str,  # see FITTED
    *,
    limits: Limits,
    order: Array,  # (n_train,) rows in an order that does not depend on the first member
) -> Combined:
    """Fit on all folds for the test rows, and on the other folds for each fold. Raises DataError.

    Bags and ties depend on the order of rows, so `order` makes them reproducible.
    """
    rows = order[validated(members)[order]]
    folds = members[0].folds[rows]
    if len(np.unique(folds)) < 2:
        raise DataError(
            "Fitted weights are scored on folds that did not fit them, so at least two folds need "
            "predictions, and one declared holdout has none left over to fit on. Use "
            'method="mean" or fixed weights, or predict by folds.'
        )
    if method == "stack":
        return _stacked(members, rows, folds)
    oofs = [m.oof for m in members]
    metric, targs = fitted_metric(members[0]), members[0].targs[rows]
    center, spread = np.zeros((len(oofs), oofs[0].shape[1])), np.ones(len(oofs))
    if is_scaled := not members[0].vocab and metric.name in ORDER_METRICS:
        center, spread = scales(oofs, rows)
    used = np.flatnonzero(np.isfinite(spread))
    scaling = (center[used], spread[used]) if is_scaled else (None, None)
    costs = np.array([m.seconds_s for m in members])[used]
    pool = Pool(metric, targs, [oofs[i] for i in used], rows, costs, *scaling)
    fit = _fit_function(pool, method, limits)

    oof, shares = np.full(oofs[0].shape, np.nan), np.zeros(len(oofs))
    for at, held in _splits(folds):
        weights = np.zeros(len(oofs))
        weights[used] = fit(at) / spread[used]
        oof[rows[held]] = average(oofs, weights, rows=rows[held]) - weights @ center
    shares[used] = fit(np.arange(len(rows))) / spread[used]
    unit = 1 / shares.sum()
    shares = shares * unit
    return shares, shares @ center + oof * unit, average([m.test for m in members], shares)


def _fit_function(pool: Pool, method: str, limits: Limits) -> Callable[[Array], Array]:
    """Return the function from the places of the rows to fit to weights (members,)."""
    if method == "greedy":
        return lambda at: greedy_weights(pool, at, limits)

    def optimum(at: Array) -> Array:
        keep, values = capped_members(pool, at, limits), pool.take(at)
        weights = np.zeros(len(keep))
        weights[keep] = optimum_weights(
            pool.metric, pool.targs[at], values if keep.all() else values[keep]
        )
        return weights

    return optimum


def _splits(folds: Array) -> list[tuple[Array, Array]]:
    """Return for each fold the places of the other folds' rows, and those of its own."""
    return [(np.flatnonzero(folds != k), np.flatnonzero(folds == k)) for k in np.unique(folds)]


def _stacked(members: Sequence[Predictions], rows: Array, folds: Array) -> Combined:
    first, oofs = members[0], [m.oof for m in members]
    stack, targs = Stack(first.task, len(first.vocab)), first.targs[rows]
    oof = np.full(first.oof.shape, np.nan)
    features = stack.features([o[rows] for o in oofs])
    for at, held in _splits(folds):
        oof[rows[held]] = stack.fit(features[at], targs[at]).predict(features[held])
    stack.fit(features, targs)
    return stack.shares(len(members)), oof, stack.predict(stack.features([m.test for m in members]))
