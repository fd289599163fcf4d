"""The weights, of zero or more with a sum of one, that minimise a convex loss."""

from collections.abc import Callable

import numpy as np

from ..data import Array
from ..metrics import Metric
from .pool import blocks

_MOST_STEPS = 100
_MOST_NEW = 20  # members without a weight that one step considers, those that promise most
_NO_GAIN = 1e-9  # in the unit of the loss
_LEAST_WEIGHT = 1e-6
_LEAST_P = 1e-15  # as log_loss: the smallest probability

# of the mixed values (n,): the loss of each value, its first and its second derivative
Curve = Callable[[Array], tuple[Array, Array, Array]]


def has_optimum(metric: Metric, n_outputs: int) -> bool:
    """Say whether `optimum_weights` can fit this metric to predictions of so many columns."""
    convex = {"log_loss", "mse", "rmsle"}
    return metric.name in convex | ({"pearson", "r2", "rmse"} if n_outputs == 1 else set())


def optimum_weights(
    metric: Metric,  # one of `has_optimum`
    targs: Array,  # (n,) class codes, or (n,) or (n, k) values
    values: Array,  # (members, n) see Pool.take, or (members, n, k)
) -> Array:
    """Return the weights of zero or more, with a sum of one, that optimise the metric.

    The losses are convex (that of rmsle wherever predictions are below about three times the
    target), so this is the best there is. For Pearson it is the direction of a regression of the
    centred targets. Each step minimises a quadratic model of the loss over the members with a
    weight and those whose weight promises most. Source: Kim, Carbonetto, Stephens and Anitescu,
    A fast algorithm for maximum likelihood estimation of mixture proportions (2020).
    """
    n = len(values)
    if metric.name == "pearson":
        from scipy.optimize import nnls

        centred = values - values.mean(1, keepdims=True)
        weights = nnls(centred.T, targs.ravel() - targs.mean())[0]
        return weights / weights.sum() if weights.any() else np.full(n, 1 / n)
    flat, curve = _curve(metric, np.asarray(targs), values.reshape(n, -1))
    weights = np.full(n, 1 / n)
    mixed = _dot(weights, flat)
    loss, slope, bend = curve(mixed)
    for _ in range(_MOST_STEPS):
        gradient = _times(flat, slope)
        if weights @ gradient - gradient.min() < _NO_GAIN:  # bounds the distance to the optimum
            break
        at = np.union1d(np.flatnonzero(weights), np.argsort(gradient)[:_MOST_NEW])
        near = flat[at]
        step = _best_near(_curvature(near, bend), gradient[at], weights[at]) - weights[at]
        along, expected, share = _dot(step, near), -step @ gradient[at], 1.0
        new = curve(mixed + along)
        while loss.mean() - new[0].mean() < 1e-4 * share * expected and share > 1e-6:
            share /= 2
            new = curve(mixed + share * along)
        gain = loss.mean() - new[0].mean()
        if gain <= 0:
            break
        weights[at] = np.clip(weights[at] + share * step, 0, None)
        mixed = mixed + share * along
        loss, slope, bend = new
        if gain < _NO_GAIN:
            break
    weights[weights < _LEAST_WEIGHT] = 0
    return weights / weights.sum()


def _curve(metric: Metric, targs: Array, values: Array) -> tuple[Array, Curve]:
    """Return the values to mix, and the loss of a mix with the same optimum as the metric."""
    if metric.name == "log_loss":

        def log_loss(p: Array) -> tuple[Array, Array, Array]:
            p = np.clip(p, _LEAST_P, None)
            return -np.log(p), -1 / p, 1 / p**2

        return values, log_loss
    wanted = targs.ravel()
    if metric.name == "rmsle":

        def squared_logs(mixed: Array) -> tuple[Array, Array, Array]:
            above = 1 + np.clip(mixed, 0, None)
            gap = np.log(above) - np.log1p(wanted)
            return gap**2, 2 * gap / above, 2 / above**2  # the curvature of Gauss and Newton

        return values, squared_logs
    # weights have a sum of one, so the error of the mix is the mix of errors
    errors = ((values - wanted) / (wanted.std() or 1)).astype(values.dtype, copy=False)
    return errors, lambda mixed: (mixed**2, 2 * mixed, np.full(len(mixed), 2.0))


def _best_near(curvature: Array, gradient: Array, weights: Array) -> Array:
    """Return the weights on the simplex that minimise the quadratic model around `weights`."""
    from scipy.optimize import nnls

    sizes, directions = np.linalg.eigh(curvature)
    roots = np.sqrt(np.clip(sizes, 1e-10 * max(sizes.max(), 1e-300), None))
    square = roots[:, None] * directions.T
    wanted = square @ weights - (directions.T @ gradient) / roots
    heavy = 1e3 * roots.max()  # a row that makes the sum one
    try:
        best = nnls(np.vstack([square, np.full(len(weights), heavy)]), np.append(wanted, heavy))[0]
    except RuntimeError:  # nnls gave up: the steepest corner is a step of Frank and Wolfe
        best = np.eye(len(weights))[int(np.argmin(gradient))]
    return np.asarray(best / best.sum())


def _dot(weights: Array, values: Array) -> Array:
    """Return weights @ values in double precision, in blocks."""
    out = np.empty(values.shape[1])
    for block in blocks(values.shape[1], 8 * len(values)):
        out[block] = weights @ values[:, block].astype(float, copy=False)
    return out


def _times(values: Array, slope: Array) -> Array:
    """Return the gradient: the mean over rows of values * slope, in blocks."""
    total = np.zeros(len(values))
    for block in blocks(values.shape[1], 8 * len(values)):
        total += values[:, block].astype(float, copy=False) @ slope[block]
    return total / values.shape[1]


def _curvature(values: Array, bend: Array) -> Array:
    """Return the mean over rows of bend * values values', in blocks."""
    total = np.zeros((len(values), len(values)))
    roots = np.sqrt(bend)
    for block in blocks(values.shape[1], 8 * len(values)):
        part = values[:, block] * roots[block]
        total += part @ part.T
    return total / values.shape[1]
