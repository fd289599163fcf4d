"""The trials of a board that may be the best, by one joint test of all pairs."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ..exceptions import DataError
from ..predictions import Predictions
from ..ui.records import Shown, joined
from .pooling import Pooled, on_common_rows, pooled, unit_values

ALPHA = 0.05
_CLEARLY = 0.001  # error at which a trial is clearly worse than another
_DRAWS = 10_000
_FEW = 10  # units for each trial


@dataclass(frozen=True, repr=False)
class BestSet(Shown):
    """The trials that cannot be told apart from the best; all others are worse."""

    best: str  # the trial with the best score
    names: tuple[str, ...]  # of the set, best first
    p_values: dict[str, float]  # by trial, adjusted: that no trial is better than it
    test: str  # the test that gave the p-values
    question: str  # fits | recipes: what the test speaks of
    n_units: int  # that were drawn independently: rows, groups, or folds of repeats

    def _facts(self) -> dict[str, object]:
        worse = {name: p for name, p in self.p_values.items() if name not in self.names}
        return {
            "best": self.best,
            "among the best": joined([name for name in self.names if name != self.best]),
            "worse": joined([f"{name} (p = {p:.2g})" for name, p in worse.items()]),
            "test": self.about_test,
        }

    @property
    def about_test(self) -> str:
        """The test, and what it speaks of."""
        return f"{self.test}, of {'these fits' if self.question == 'fits' else 'recipes'}"

    def __str__(self) -> str:
        n = len(self.p_values)
        others = joined([name for name in self.names if name != self.best])
        tied = f"; among the best: {others}" if others else ""
        return f"best of {n}: {self.best}{tied} ({self.about_test})"


def best_set(
    trials: Sequence[Predictions],  # of one data set; repeats "name #2", ... are pooled
) -> BestSet:
    """Return the trials that cannot be told apart from the best, at a joint error of 5%.

    A trial leaves the set when another is significantly better: the largest t of its pairs is
    compared with the largest of all pairs of trials that are still in the set, under the hypothesis
    that all are equal. No trial is the reference, so it does not matter that the best was chosen.
    The chance that a trial which is as good as the best is called worse is at most 5% on the whole
    board, for any number of trials.

    Where every trial has two repeats or more, the units are the folds of all repeats, with the
    variance of Nadeau and Bengio for overlapping training sets: the verdict speaks of recipes. Else
    they are rows, or groups of rows, and it speaks of these fits. Raises DataError when the trials
    have different metrics, rows or targets. Sources: Hothorn, Bretz and Westfall, Simultaneous
    inference in general parametric models (2008): the maximum over all pairs; Romano and Wolf,
    Exact and approximate stepdown methods for multiple hypothesis testing (2005): the steps.
    """
    if not trials:
        raise DataError("There is no best trial: no trial finished. Read the errors of the trials.")
    pools = pooled(on_common_rows(trials))
    sign = 1 if trials[0].scoring.higher_is_better else -1
    scores = sign * np.array([pool.score for pool in pools])
    folds = _fold_scores(pools)
    if folds is not None:
        values, question, kind = sign * folds, "recipes", "corrected resampled fold scores"
        overlap = _test_share(pools)
    else:
        values, question, kind, overlap = unit_values(pools), "fits", "pseudo-values", 0.0
    p_values = np.ones(len(pools))
    if len(pools) > 1 and len(values) > 1:
        p_values = step_down(scores, values, overlap=overlap)
    names = [pool.name for pool in pools]
    return BestSet(
        names[0],
        tuple(name for name, p in zip(names, p_values, strict=True) if p >= ALPHA),
        dict(zip(names, p_values.tolist(), strict=True)),
        f"step-down max-T of all pairs on {kind}",
        question,
        len(values),
    )


def step_down(
    scores: np.ndarray,  # (n_trials,) higher is better
    values: np.ndarray,  # (n_units, n_trials)
    *,
    overlap: float = 0.0,  # of training sets: adds this share of the values' variance
) -> np.ndarray:
    """Return (n_trials,) adjusted p-values of the hypotheses that no trial is better.

    In each step the trials that are left may be beaten by any trial, except by one that is clearly
    worse (at 0.1%, so the joint error is at most 5.1%). A p-value that simulation cannot resolve is
    that of Bonferroni over the same pairs. Source of the exception: Romano, Shaikh and Wolf, A
    practical two-step method for testing moment inequalities (2014).
    """
    from scipy.stats import norm, t

    n, df = len(scores), len(values) - 1
    leads_t = (scores - scores[:, None]) * _inverse_se(np.cov(values.T) * (1 / (df + 1) + overlap))
    # each pair has a t value with its own variance, and the draws are normal
    leads = norm.isf(t.sf(leads_t, df))
    largest = largest_leads(values)
    beyond = np.quantile(largest.max(0), 1 - _CLEARLY)
    worse = np.minimum(leads + beyond, 0)
    first, top = leads_t.max(1), leads.max(1)
    order = np.argsort(-first, kind="stable")
    p_values = _tail(largest[order], top[order])
    if worse.any():
        without = _tail(largest_leads(values, worse)[order], top[order]) + _CLEARLY
        p_values = np.minimum(p_values, without)
    bonferroni = t.sf(first[order], df) * np.arange(n, 0, -1) * (n - 1)
    found = np.empty(n)
    found[order] = np.maximum.accumulate(np.minimum(np.minimum(p_values, bonferroni), 1))
    return found


def largest_leads(
    values: np.ndarray,  # (n_units, n_trials)
    shift: np.ndarray
    | None = None,  # (n_trials, n_trials) added to the lead of a column over a row
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
    sums = np.diag(cov)[:, None] + np.diag(cov)
    of_pairs = sums - 2 * cov
    same = of_pairs <= 1e-12 * sums
    return np.asarray(np.where(same, 0, 1 / np.sqrt(np.where(same, 1, of_pairs))))


def _tail(
    largest: np.ndarray,  # (n_trials, n_draws), in the order of the steps
    leads: np.ndarray,  # (n_trials,)
) -> np.ndarray:
    """Return for each step the share of draws whose largest lead over those left is as large."""
    left = np.maximum.accumulate(largest[::-1], 0)[::-1]
    return np.asarray((1 + (left >= leads[:, None]).sum(1)) / (1 + largest.shape[1]))


def _fold_scores(pools: Sequence[Pooled]) -> np.ndarray | None:
    """Return (n_repeats x n_folds, n_trials) scores; None where trials have no shared repeats.

    Repeats on one split, as along time, are averaged: their folds are not independent.
    """
    first = pools[0]
    if len(first.repeats) < 2 or any(pool.numbers != first.numbers for pool in pools):
        return None
    for pool in pools:
        for preds, other in zip(pool.repeats, first.repeats, strict=True):
            if not np.array_equal(preds.folds, other.folds):
                return None
    one_split = all(np.array_equal(p.folds, first.repeats[0].folds) for p in first.repeats)
    join = np.mean if one_split else np.concatenate
    scores = [join([preds.fold_scores for preds in pool.repeats], axis=0) for pool in pools]
    values = np.stack(scores, 1)
    return np.asarray(values[~np.isnan(values).any(1)])


def _test_share(pools: Sequence[Pooled]) -> float:
    """Return the validated rows of a fold for each row that trained its model."""
    preds = pools[0].repeats[0]
    n_folds, n_validated = len(preds.fold_scores), int(preds.validated.sum())
    size = n_validated / n_folds
    return size / (len(preds.ids) - size)
