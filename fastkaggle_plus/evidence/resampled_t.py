"""The corrected resampled t-test, also for those who look again after each repeat."""

from dataclasses import dataclass
from functools import cache

import numpy as np

from ..data import Array

_MOST_LOOKS = 20  # at the difference of two recipes, after 2, 3, ... repeats
_NODES, _MOST_Z = 400, 5.0  # of an integral, and up to which it is exact


@dataclass(frozen=True)
class ResampledT:
    """A mean difference over repeated cross-validation, and its t-distribution."""

    gain: float
    se: float
    n: int  # differences: folds of all repeats
    n_folds: int
    ratio: float  # rows validated per row fitted on

    @property
    def p_value_once(self) -> float:
        """Two-sided p-value, if the number of repeats was fixed before the first look."""
        from scipy.stats import t

        if self.se == 0:  # a few equal differences say nothing about their spread
            return 1.0
        return float(2 * t.sf(abs(self.gain) / self.se, self.n - 1))

    @property
    def p_value(self) -> float:
        """Probability of so large a difference at any look, between equal recipes.

        Source: Jennison and Turnbull, Group sequential methods (2000): Pocock's boundary, by
        significance levels, with the information of the corrected standard error.
        """
        from scipy.stats import norm

        once, n_looks = self.p_value_once, max(_MOST_LOOKS, self.n // self.n_folds)
        z = float(norm.isf(once / 2))
        if z > _MOST_Z:
            return min(n_looks * once, 1.0)
        return max(once, _any_look(round(z, 4), self.n_folds, self.ratio, n_looks))

    def probabilities(self, rope: float) -> tuple[float, float, float]:
        """Return the probabilities that the difference is above, within and below the rope.

        Source: Benavoli, Corani, Demsar and Zaffalon, Time for a change: a tutorial for comparing
        multiple classifiers through Bayesian analysis (2017): the correlated t-test.
        """
        from scipy.stats import t

        if self.se == 0:
            return float(self.gain > rope), float(abs(self.gain) <= rope), float(self.gain < -rope)
        above = float(t.sf((rope - self.gain) / self.se, self.n - 1))
        below = float(t.cdf((-rope - self.gain) / self.se, self.n - 1))
        return above, 1 - above - below, below


def resampled_t(
    differences: Array,  # (n_splits, n_folds) of paired fold scores; NaN: a fold without a score
    ratio: float,  # rows validated per row fitted on
) -> ResampledT:
    """Return the mean difference with a standard error for training sets that overlap.

    Source: Nadeau and Bengio, Inference for the generalization error (2003); for repeated folds:
    Bouckaert and Frank, Evaluating the replicability of significance tests for comparing learning
    algorithms (2004).
    """
    known = differences[~np.isnan(differences)]
    spread = known.var(ddof=1) if len(known) > 1 else 0.0
    se = float(np.sqrt((1 / max(len(known), 1) + ratio) * spread))
    gain = float(known.mean()) if len(known) else 0.0
    return ResampledT(gain, se, len(known), differences.shape[1], ratio)


@cache
def _any_look(z: float, n_folds: int, ratio: float, n_looks: int) -> float:
    """Return the probability that |Z| reaches z at a look, after 2, 3, ... repeats.

    The estimates after fewer and more repeats have the joint distribution of a Brownian motion,
    whose time is the information 1 / se^2. It is integrated from look to look.
    """
    from scipy.stats import norm

    information = 1 / (1 / (n_folds * np.arange(2, n_looks + 2)) + ratio)
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    inside, weights = z * nodes, z * weights
    density = norm.pdf(inside)  # of Z, where it has stayed inside so far
    for share in information[:-1] / information[1:]:
        sd = np.sqrt(1 - share)
        away = (inside[:, None] - np.sqrt(share) * inside) / sd
        density = np.exp(-0.5 * away**2) @ (weights * density) / (sd * np.sqrt(2 * np.pi))
    return float(1 - weights @ density)
