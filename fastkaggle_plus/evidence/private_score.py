"""What CV and public scores say about the private scores: a joint normal model of the three."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from ..data import Array
from .gap import CV_ERROR, Rows, Scores, noise_covariance

# Standard deviations that the data choose among, in standard errors of a CV score
_SPREADS = (0.1, 0.3, 1.0, 3.0, 10.0)  # of the true scores
_SHIFTS = (0.05, 0.3, 1.0, 3.0, 10.0)  # from CV to test, common to all submissions
_OWN_SHIFTS = (0.02, 0.1, 0.3, 1.0)  # of one submission
_ANY_LEVEL = 300.0
_UNLIKELY = 1e-3  # points of the grid below this share of the largest likelihood are left out


@dataclass(frozen=True, eq=False)
class Forecast:
    """The private scores and the next public scores, given all scores seen so far.

    Scores count upwards: for a metric where lower is better, they are negative.
    """

    mean: Array  # (n,) private
    covariance: Array  # (n, n) private
    public_mean: Array  # (n,) of a submission that is sent now
    public_variance: Array  # (n,)
    with_public: Array  # (n, n) covariance of each private score with each public score

    def after(self, sent: int, public: float) -> tuple[Array, Array]:
        """Return mean and covariance of the private scores once this public score is known."""
        towards = self.with_public[:, sent]
        variance = self.public_variance[sent]
        mean = self.mean + towards * (public - self.public_mean[sent]) / variance
        return mean, self.covariance - np.outer(towards, towards) / variance


def forecast(submissions: Sequence[Scores], rows: Rows) -> Forecast:
    """Return what is known about the private scores.

    CV = true score + noise; public and private = true score + a shift common to all submissions
    + its own shift + noise. The noise of two submissions on the same rows is correlated as their
    pseudo-values are; the rows of the three parts are different ones. True scores and own shifts
    have the same correlation (Zellner's g-prior, 1986): near copies have nearly the same. The sizes
    of the true spread and of both shifts are averaged over a grid, weighted by the likelihood
    (Gelman et al., Bayesian Data Analysis, chapter 5).
    """
    noise = noise_covariance(submissions)
    n, unit = len(submissions), float(np.sqrt(np.median(np.diag(noise))))
    unit = unit or 1.0
    noise = noise / unit**2 + 1e-6 * np.eye(n)
    sign = 1 if rows.higher_is_better else -1
    parts = [[s.cv for s in submissions], [s.public for s in submissions]]
    parts.append([s.private for s in submissions])
    scores = sign * np.array(parts, dtype=float).ravel() / unit  # (3n,) NaN: not seen
    seen = ~np.isnan(scores)
    level = float(np.nanmean(scores))
    sizes = rows.cv / np.array([rows.cv / CV_ERROR**2, rows.public, rows.private])
    scores -= level
    grid = list(product(_SPREADS, _SHIFTS, _OWN_SHIFTS))
    log = np.array([_log_likelihood(_joint(noise, sizes, *sds), scores, seen) for sds in grid])
    weights = np.exp(log - log.max())
    likely = np.flatnonzero(weights > _UNLIKELY)
    weights = weights[likely] / weights[likely].sum()
    found = [_condition(_joint(noise, sizes, *grid[k]), scores, seen) for k in likely]
    means = np.stack([m for m, _ in found])
    mean = weights @ means
    away = (means - mean) * np.sqrt(weights)[:, None]
    covariance = sum(w * c for w, (_, c) in zip(weights, found, strict=True)) + away.T @ away
    public, private = slice(n, 2 * n), slice(2 * n, 3 * n)
    return Forecast(
        (mean[private] + level) * unit,
        covariance[private, private] * unit**2,
        (mean[public] + level) * unit,
        np.maximum(np.diag(covariance)[public], 1e-9) * unit**2,
        covariance[private, public] * unit**2,
    )


def _joint(noise: Array, sizes: Array, spread: float, shift: float, own_shift: float) -> Array:
    """Return the (3n, 3n) covariance of the CV, public and private scores before any is seen."""
    true = spread**2 * noise + _ANY_LEVEL**2
    shifts = shift**2 + own_shift**2 * noise
    on_test = np.array([[0, 0, 0], [0, 1, 1], [0, 1, 1]])
    shared = np.kron(np.ones((3, 3)), true) + np.kron(on_test, shifts)
    return shared + np.kron(np.diag(sizes), noise)


def _log_likelihood(joint: Array, scores: Array, seen: Array) -> float:
    """Return the log density of the seen scores, without its constant."""
    from scipy.linalg import cholesky, solve_triangular

    root = cholesky(joint[np.ix_(seen, seen)], lower=True)
    scaled = solve_triangular(root, scores[seen], lower=True)
    return float(-np.log(np.diag(root)).sum() - scaled @ scaled / 2)


def _condition(joint: Array, scores: Array, seen: Array) -> tuple[Array, Array]:
    """Return mean and covariance of all scores, given the seen ones."""
    from scipy.linalg import cho_factor, cho_solve

    towards = cho_solve(cho_factor(joint[np.ix_(seen, seen)]), joint[seen])  # (n_seen, 3n)
    return scores[seen] @ towards, joint - joint[:, seen] @ towards
