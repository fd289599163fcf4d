"""Fit the weights of an ensemble: the optimum of a convex loss, or Caruana's greedy search."""

from collections.abc import Callable

import numpy as np

from ..data import Array
from ..metrics import Metric, get_metric
from ..predictions import Predictions

GREEDY_ROUNDS = 20
BAGS = 5  # greedy searches whose weights are averaged
_MOST_BAG_ROWS = 10_000
_NO_SPREAD = 1e-9  # relative deviation below which predictions count as constant
ORDER_METRICS = ("pearson", "spearman", "gini_values")  # of values, where any scale is right
_LEAST_P = 1e-15  # as log_loss: the smallest probability

FitWeights = Callable[[Metric, Array, Array], Array]  # (metric, targs, oofs) -> shares
Loss = Callable[[Array], tuple[float, Array]]  # weights -> (loss, gradient)


def fitted_metric(preds: Predictions) -> Metric:
    """Return the metric to which weights are fitted; the result is scored by its own."""
    if preds.scoring.wants == "label" and preds.vocab:
        return get_metric("log_loss")  # right or wrong is too coarse to fit weights
    return preds.scoring


def has_optimum(metric: Metric, n_outputs: int) -> bool:
    """Say whether `optimum_weights` can fit this metric to predictions of so many columns."""
    convex = {"log_loss", "mse", "rmsle"} | ({"pearson", "r2", "rmse"} if n_outputs == 1 else set())
    return metric.name in convex


def optimum_weights(
    metric: Metric,  # one of `has_optimum`
    targs: Array,  # (n,) class codes, or (n,) or (n, k) values
    oofs: Array,  # (members, n, n_outputs)
) -> Array:
    """Return the weights of zero or more, with a sum of one, that optimise the metric.

    The losses are smooth and convex (that of rmsle wherever predictions are below about three times
    the target), so this is the best there is. For Pearson it is the direction of a regression of
    the centred targets.
    """
    from scipy.optimize import minimize, nnls

    n = len(oofs)
    if metric.name == "pearson":
        centred = oofs[:, :, 0] - oofs[:, :, 0].mean(1, keepdims=True)
        weights = nnls(centred.T, targs.ravel() - targs.mean())[0]
        return weights / weights.sum() if weights.any() else np.full(n, 1 / n)
    found = minimize(
        _loss(metric, np.asarray(targs), oofs),
        np.full(n, 1 / n),
        jac=True,
        method="SLSQP",
        bounds=[(0, 1)] * n,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1, "jac": lambda w: np.ones(n)},
        options={"maxiter": 200, "ftol": 1e-9},
    )
    weights = np.clip(found.x, 0, None)
    weights[weights < 1e-6] = 0
    return np.asarray(weights / weights.sum())


def greedy_weights(metric: Metric, targs: Array, oofs: Array) -> Array:
    """Return shares by greedy search, the mean of several searches on a random half of the rows.

    Source: Caruana et al., Ensemble selection from libraries of models (2004).
    """
    rng, n = np.random.default_rng(0), len(targs)
    n_rows = min(_MOST_BAG_ROWS, max(n // 2, min(n, 50)))
    found = []
    for _ in range(BAGS):
        rows = np.sort(rng.choice(n, n_rows, replace=False))
        found.append(_greedy_search(metric, targs[rows], oofs[:, rows]))
    return np.asarray(np.mean(found, 0))


def _greedy_search(metric: Metric, targs: Array, oofs: Array) -> Array:
    """Add the best member again and again, with replacement; return the best shares met."""
    counts, total = np.zeros(len(oofs)), np.zeros(oofs.shape[1:])
    best_score, best = -np.inf, counts
    for i in range(GREEDY_ROUNDS):
        scores = [metric.score(targs, (total + o) / (i + 1)) for o in oofs]
        pick = int(np.argmax(scores) if metric.higher_is_better else np.argmin(scores))
        counts[pick] += 1
        total = total + oofs[pick]
        if i == 0 or metric.gain(scores[pick], best_score) > 0:
            best_score, best = scores[pick], counts.copy()
    return np.asarray(best / best.sum())


def scales(oofs: Array) -> tuple[Array, Array]:
    """Return the mean (members, 1, k) and deviation (members,) of each member's predictions.

    A metric of order accepts any scale, so members are compared on one. The deviation is infinite
    for a member that predicts one value for all rows, unless all members do.
    """
    center, deviations = oofs.mean(1, keepdims=True), np.sqrt(oofs.var(1).mean(1))
    varies = deviations > _NO_SPREAD * np.abs(center).max((1, 2))
    return center, np.where(varies, deviations, np.inf) if varies.any() else np.ones(len(oofs))


def _loss(metric: Metric, targs: Array, oofs: Array) -> Loss:
    """Return a smooth function of the weights with the same optimum as the metric."""
    if metric.name == "log_loss":
        chosen = np.ascontiguousarray(oofs[:, np.arange(len(targs)), targs])  # (members, n)

        def log_loss(weights: Array) -> tuple[float, Array]:
            p = np.clip(weights @ chosen, _LEAST_P, None)
            return float(-np.log(p).mean()), -(chosen / p).mean(1)

        return log_loss
    flat, wanted = oofs.reshape(len(oofs), -1), targs.ravel()
    if metric.name == "rmsle":

        def squared_logs(weights: Array) -> tuple[float, Array]:
            p = np.clip(weights @ flat, 0, None)
            gap = np.log1p(p) - np.log1p(wanted)
            return float((gap**2).mean()), 2 * (flat * (gap / (1 + p))).mean(1)

        return squared_logs
    gram, linear = flat @ flat.T / flat.shape[1], flat @ wanted / flat.shape[1]
    scale = float(wanted.var()) or 1.0  # so that the tolerance does not depend on the unit

    def squared(weights: Array) -> tuple[float, Array]:
        loss = weights @ gram @ weights - 2 * weights @ linear + (wanted**2).mean()
        return float(loss / scale), 2 * (gram @ weights - linear) / scale

    return squared
