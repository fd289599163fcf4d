"""t-tests over repeated cross-validation, also for those who look again after each repeat."""

from dataclasses import dataclass
from functools import cache

import numpy as np

from ..data import Array

_MOST_LOOKS = 20  # after 2, 3, ... repeats
_MOST_Z = 5.0  # up to which an integral is used, not a bound
_LEAST_RATIO, _LEAST_STEP = 2.0**-7, 1e-3  # of the information; smaller steps need more nodes


@dataclass(frozen=True)
class RepeatedT:
    """A mean difference over repeats, and its t-distribution."""

    gain: float
    shared: float  # variance that more repeats of the same rows do not reduce
    per_repeat: float  # variance that they do: of a single repeat
    n_repeats: int
    df: float  # degrees of freedom

    @property
    def se(self) -> float:
        """The standard error of the gain."""
        return float(np.sqrt(self.shared + self.per_repeat / self.n_repeats))

    @property
    def p_value_once(self) -> float:
        """Two-sided p-value, if the number of repeats was fixed before the first look."""
        from scipy.stats import t

        if self.se == 0:  # a few equal differences say nothing about their spread
            return 1.0
        return float(2 * t.sf(abs(self.gain) / self.se, self.df))

    @property
    def p_value(self) -> float:
        """Probability of so large a difference at any look, between equal recipes.

        Source: Jennison and Turnbull, Group sequential methods (2000): Pocock's boundary, by
        significance levels. The information of a look is 1 / se^2.
        """
        from scipy.stats import norm

        once, n_looks = self.p_value_once, max(_MOST_LOOKS, self.n_repeats - 1)
        z = float(norm.isf(once / 2))
        if z > _MOST_Z:
            return min(n_looks * once, 1.0)
        if self.per_repeat == 0:
            return once
        ratio = max(self.shared / self.per_repeat, _LEAST_RATIO)
        steps = int(np.floor(2 * np.log2(ratio)))  # few integrals serve many comparisons
        tenth = int(10 * z)
        near = np.log([_any_look(tenth + i, steps, n_looks) for i in (0, 1)])
        return max(once, float(np.exp(np.interp(10 * z, [tenth, tenth + 1], near))))

    def probabilities(self, rope: float) -> tuple[float, float, float]:
        """Return the probabilities that the difference is above, within and below the rope.

        Source: Benavoli, Corani, Demsar and Zaffalon, Time for a change: a tutorial for comparing
        multiple classifiers through Bayesian analysis (2017): the correlated t-test.
        """
        from scipy.stats import t

        if self.se == 0:
            return float(self.gain > rope), float(abs(self.gain) <= rope), float(self.gain < -rope)
        above = float(t.sf((rope - self.gain) / self.se, self.df))
        below = float(t.cdf((-rope - self.gain) / self.se, self.df))
        return above, 1 - above - below, below


def resampled_t(
    differences: Array,  # (n_repeats, n_folds) of paired fold scores; NaN: a fold without a score
    ratio: float,  # rows validated per row fitted on
) -> RepeatedT:
    """Return the corrected resampled t-test: all folds alike, for training sets that overlap.

    Sources: Nadeau and Bengio, Inference for the generalization error (2003); for repeated folds:
    Bouckaert and Frank, Evaluating the replicability of significance tests for comparing learning
    algorithms (2004).
    """
    n_repeats, n_folds = differences.shape
    known = differences[~np.isnan(differences)]
    spread = float(known.var(ddof=1)) if len(known) > 1 else 0.0
    gain = float(known.mean()) if len(known) else 0.0
    return RepeatedT(gain, ratio * spread, spread / n_folds, n_repeats, max(len(known) - 1, 1))


def rows_and_repeats_t(
    values: Array,  # (n_repeats, n_units) differences of pseudo-values
    ratio: float,  # rows validated per row fitted on
    n_folds: int,
) -> RepeatedT:
    """Return a t-test with two sources of error: the rows, and the seeds and splits of the repeats.

    The error of the rows is corrected as in `resampled_t`, with the variance of a fold that the
    rows explain: it has no luck of seeds, because it is that of the mean over the repeats. The
    error of seeds and splits is the variance of the repeats, as of the readers in Hillis, A
    comparison of denominator degrees of freedom methods for multiple observer ROC analysis (2007).
    `resampled_t` corrects the luck of the seeds too, and so misses most true differences between
    recipes that depend on their seeds.
    """
    n_repeats, n_units = values.shape
    rows = float(values.mean(0).var(ddof=1)) / n_units
    luck = float(values.mean(1).var(ddof=1))
    of_rows, of_luck = (n_folds * ratio + 1 / n_repeats) * rows, luck / n_repeats
    spread = of_rows**2 / (n_units - 1) + of_luck**2 / (n_repeats - 1)
    df = (of_rows + of_luck) ** 2 / spread if spread else 1.0
    return RepeatedT(float(values.mean()), n_folds * ratio * rows, rows + luck, n_repeats, df)


@cache
def _any_look(tenths: int, steps: int, n_looks: int) -> float:
    """Return the probability that |Z| reaches z at a look, after 2, 3, ... repeats.

    z is in tenths; shared / per_repeat is 2 to the power steps / 2. The estimates after fewer
    and more repeats have the joint distribution of a Brownian motion, whose time is the
    information. It is integrated from look to look.
    """
    from scipy.stats import norm

    z, information = tenths / 10, 1 / (2 ** (steps / 2) + 1 / np.arange(2, n_looks + 2))
    nodes, weights = np.polynomial.legendre.leggauss(40 + round(72 * z))
    inside, weights = z * nodes, z * weights
    density = norm.pdf(inside)  # of Z, where it has stayed inside so far
    last = information[0]
    for now in information[1:]:
        if (share := last / now) > 1 - _LEAST_STEP:
            continue  # it is taken together with the next look
        last, sd = now, np.sqrt(1 - share)
        away = (inside[:, None] - np.sqrt(share) * inside) / sd
        density = np.exp(-0.5 * away**2) @ (weights * density) / (sd * np.sqrt(2 * np.pi))
    return float(1 - weights @ density)
