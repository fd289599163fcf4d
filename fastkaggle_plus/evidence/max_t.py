"""Max-T tests: which of many trials lose to another one, by all pairs at once."""

from functools import lru_cache

import numpy as np

_CLEARLY = 0.001  # error at which a trial is clearly worse than another
_DRAWS = 10_000
_FEW = 10  # units for each trial


def step_down(
    scores: np.ndarray,  # (n_trials,) higher is better
    values: np.ndarray,  # (n_units, n_trials)
    *,
    cov: np.ndarray | None = None,  # (n_trials, n_trials) of the scores; default: by the values
    df: np.ndarray | None = None,  # (n_trials, n_trials) of a pair's error; default: n_units - 1
) -> np.ndarray:
    """Return (n_trials,) adjusted p-values of the hypotheses that no trial is better.

    In each step the trials that are left may be beaten by any trial, except by one that is clearly
    worse (at 0.1%, so the joint error is at most 5.1%). A p-value that simulation cannot resolve is
    that of Bonferroni over the same pairs. Source of the exception: Romano, Shaikh and Wolf, A
    practical two-step method for testing moment inequalities (2014).
    """
    from scipy.stats import norm, t

    n = len(scores)
    cov = np.cov(values.T) / len(values) if cov is None else cov
    leads_t = (scores - scores[:, None]) * _inverse_se(cov)
    one_sided = t.sf(leads_t, len(values) - 1 if df is None else df)
    leads = norm.isf(one_sided)  # t values of each pair's own variance; the draws are normal
    largest = largest_leads(values)
    beyond = np.quantile(largest.max(0), 1 - _CLEARLY)
    worse = np.minimum(leads + beyond, 0)
    least, top = one_sided.min(1), leads.max(1)
    order = np.argsort(least, kind="stable")
    p_values = _tail(largest[order], top[order])
    if worse.any():
        without = _tail(largest_leads(values, worse)[order], top[order]) + _CLEARLY
        p_values = np.minimum(p_values, without)
    bonferroni = least[order] * np.arange(n, 0, -1) * (n - 1)
    found = np.empty(n)
    found[order] = np.maximum.accumulate(np.minimum(np.minimum(p_values, bonferroni), 1))
    return found


def over_all_pairs(
    p_values: np.ndarray,  # (n,) two-sided, of some pairs of the trials
    values: np.ndarray,  # (n_units, n_trials)
) -> np.ndarray:
    """Return (n,) p-values adjusted for all pairs, so that the pairs may be chosen after a look.

    A p-value that simulation cannot resolve is that of Bonferroni. Source: Hothorn, Bretz and
    Westfall, Simultaneous inference in general parametric models (2008).
    """
    from scipy.stats import norm

    n_trials = values.shape[1]
    largest = largest_leads(values).max(0)
    beyond = (largest >= norm.isf(p_values / 2)[:, None]).sum(1)
    joint = (1 + beyond) / (1 + len(largest))
    bonferroni = p_values * (n_trials * (n_trials - 1) // 2)
    return np.clip(np.minimum(joint, bonferroni), p_values, 1)


def largest_leads(
    values: np.ndarray,  # (n_units, n_trials)
    shift: np.ndarray | None = None,  # (n_trials, n_trials) added to a column's lead over a row
) -> np.ndarray:
    """Return (n_trials, n_draws) the largest lead over each trial, in draws of equal trials."""
    cov = _covariance(values)
    shifts = np.zeros_like(cov) if shift is None else shift
    shifts, inverse = (m.astype(np.float32)[:, :, None] for m in (shifts, _inverse_se(cov)))
    draws = gaussian_draws(cov)
    largest = np.zeros_like(draws)  # that over itself
    for i in range(len(cov) - 1):
        leads, rest = (draws[i + 1 :] - draws[i]) * inverse[i, i + 1 :], largest[i + 1 :]
        np.maximum(largest[i], (leads + shifts[i, i + 1 :]).max(0), out=largest[i])
        np.maximum(rest, shifts[i + 1 :, i] - leads, out=rest)
    return largest


def gaussian_draws(cov: np.ndarray) -> np.ndarray:
    """Return (n, 10,000) normal draws with mean 0 and this covariance, the same ones each time."""
    variances, axes = np.linalg.eigh(cov)
    root = axes * np.sqrt(np.clip(variances, 0, None))
    return np.asarray(root.astype(np.float32) @ _normals(len(cov)))


@lru_cache(maxsize=2)
def _normals(n: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((n, _DRAWS), dtype=np.float32)


def _covariance(values: np.ndarray) -> np.ndarray:
    """Return the covariance of trials up to what all share, shrunk where units are few.

    Of few units, the sample covariance has too few dimensions. Source: Ledoit and Wolf, A
    well-conditioned estimator for large-dimensional covariance matrices (2004).
    """
    values = values - values.mean(1, keepdims=True)  # cancels in each pair
    if len(values) >= _FEW * values.shape[1]:
        return np.asarray(np.cov(values.T))
    from sklearn.covariance import ledoit_wolf  # slow to import

    return np.asarray(ledoit_wolf(values)[0])


def _inverse_se(cov: np.ndarray) -> np.ndarray:
    """Return 1 / the standard error of each pair's difference; 0 for two equal trials."""
    variances = variances_of_pairs(cov)
    return np.asarray(
        np.where(variances > 0, 1 / np.sqrt(np.where(variances > 0, variances, 1)), 0)
    )


def _tail(
    largest: np.ndarray,  # (n_trials, n_draws), in the order of the steps
    leads: np.ndarray,  # (n_trials,)
) -> np.ndarray:
    """Return for each step the share of draws whose largest lead over those left is as large."""
    left = np.maximum.accumulate(largest[::-1], 0)[::-1]
    return np.asarray((1 + (left >= leads[:, None]).sum(1)) / (1 + largest.shape[1]))


def variances_of_pairs(cov: np.ndarray) -> np.ndarray:
    """Return the variance of each pair's difference, 0 where the two are the same."""
    sums = np.diag(cov)[:, None] + np.diag(cov)
    found = sums - 2 * cov
    return np.asarray(np.where(found <= 1e-12 * sums, 0, found))
