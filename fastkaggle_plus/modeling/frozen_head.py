"""A linear head on the features of a frozen network, with a penalty that inner splits choose."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..data import Table
from .inner_split import inner_split
from .model import Array
from .tabular.linear import LinearFit, scale_of

PENALTIES = (3.0, 1.0, 0.3, 0.1, 0.03, 0.01)  # L2 per row, on scaled features
_LEAST_VALIDATED = 200  # rows in all inner splits: fewer would choose a penalty by chance
_MOST_SPLITS = 3
_LEAST_VARIANCE = 1e-9  # of the largest: a smaller one is a rounding error
_ABSENT = -20.0  # logit of a class without rows; that of some other class is never below 0
_LEAST_PROBABILITY = 1e-7  # in the log loss


@dataclass(frozen=True, eq=False)
class Head:
    """A fitted linear head. Its coefficients are for the features as they are, not scaled."""

    coef: Array  # (n_outputs, width)
    intercept: Array  # (n_outputs,)
    penalty: float  # the chosen one
    limits: tuple[Array, Array] | None = None  # lowest and highest targets; None: classes

    def predict(self, x: Array) -> Array:
        """Return (n, n_outputs) probabilities, or values within the range of the targets."""
        from scipy.special import softmax

        # float64: in float32 a row's prediction would depend on the other rows
        output = np.asarray(x, dtype=np.float64) @ self.coef.T + self.intercept
        return np.asarray(softmax(output, 1) if self.limits is None else output.clip(*self.limits))


def fit_head(
    x: Array,  # (n, width) features
    table: Table,  # the same rows, with their targets
    *,
    penalties: Sequence[float] = PENALTIES,
) -> Head:
    """Return logistic regression for classes, or ridge regression for one or more values.

    Each penalty is tried on rows that `inner_split` holds out, strongest first until one is worse
    than the one before. The best, by log loss or squared error, is fitted on all rows.
    """
    from threadpoolctl import threadpool_limits

    # more threads wait for each other in these small steps, and would change the last bits
    with threadpool_limits(1):
        return _fit_head(np.asarray(x, dtype=np.float64), table, sorted(penalties, reverse=True))


def _fit_head(x: Array, table: Table, penalties: list[float]) -> Head:
    mean, std = scale_of(x)
    scaled, axes = (x - mean) / std, None
    if x.shape[0] < x.shape[1]:  # the same fit in as many columns as rows, which is faster
        axes = _principal_axes(scaled)
        scaled = scaled @ axes.T
    best = _best_penalty(scaled, table, penalties)
    fit = LinearFit(scaled, table, penalty=best * len(x))
    coef, intercept = fit.by_output(table, absent=_ABSENT)
    coef = (coef if axes is None else coef @ axes) / std
    limits = None if table.vocab else (fit.low, fit.high)
    return Head(coef, intercept - coef @ mean, best, limits)


def _principal_axes(x: Array) -> Array:
    """Return the (rank, width) principal axes of the rows."""
    values, vectors = np.linalg.eigh(x @ x.T)
    kept = values > _LEAST_VARIANCE * values[-1]
    axes: Array = (vectors[:, kept].T @ x) / np.sqrt(values[kept])[:, None]
    return axes


def _best_penalty(x: Array, table: Table, penalties: list[float]) -> float:
    """Return the penalty with the lowest mean loss over the inner splits."""
    if len(penalties) == 1:
        return penalties[0]
    n_splits = min(max(1, round(_LEAST_VALIDATED / (0.2 * len(x)))), _MOST_SPLITS)
    if table.time is not None:  # the latest rows, whatever the seed
        n_splits = 1
    splits = [inner_split(table, seed=seed) for seed in range(n_splits)]
    fits: list[LinearFit | None] = [None] * n_splits
    losses: list[float] = []
    for penalty in penalties:
        loss = 0.0
        for i, (fit_rows, rows) in enumerate(splits):
            # it starts from the fit before, with a stronger penalty
            strength = penalty * len(fit_rows)
            fits[i] = fit = LinearFit(
                x[fit_rows], table.take(fit_rows), penalty=strength, start=fits[i]
            )
            validated = table.take(rows)
            loss += _loss(fit.predict(x[rows], validated), validated)
        losses.append(loss)
        if len(losses) > 1 and losses[-1] > losses[-2]:
            break
    return penalties[int(np.argmin(losses))]


def _loss(preds: Array, table: Table) -> float:
    targs = np.asarray(table.targs)
    if table.vocab:
        own = preds[np.arange(len(targs)), targs]
        return float(-np.log(own.clip(_LEAST_PROBABILITY)).mean())
    return float(((preds - targs.reshape(preds.shape)) ** 2).mean())
