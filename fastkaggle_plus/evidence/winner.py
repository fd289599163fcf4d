"""The best of several trials, with a score that is corrected for having chosen the best."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..exceptions import DataError
from ..predictions import Predictions
from ..ui.records import Shown
from .compare import ALPHA
from .max_t import gaussian_draws
from .pooling import on_common_rows, pooled, unit_values

_PARTS = 10
_DIVISIONS = 100
_MOST_UNITS = 1_000  # more are averaged in groups, which is as precise and needs less time


@dataclass(frozen=True, repr=False)
class Winner(Shown):
    """The best of several trials: its score, and the score to expect of it on new rows."""

    name: str
    metric: str
    score: float  # too good: of many trials, the best is partly the luckiest
    score_se: float
    corrected: float  # an estimate without this luck
    low: float  # 95% interval of the true score of the chosen trial
    high: float
    n_tried: int  # trials that it was chosen from

    def _facts(self) -> dict[str, object]:
        return {"name": self.name, "score": str(self)}

    def __str__(self) -> str:
        interval = f"(95% interval {self.low:.4f} to {self.high:.4f})"
        best = f"best {self.metric} {self.score:.4f} ± {self.score_se:.4f}"
        if self.n_tried == 1:
            return f"{best} {interval}, the only trial"
        choice = f"corrected for choosing among {self.n_tried}: {self.corrected:.4f}"
        return f"{best}, {choice} {interval}"


def best_of(
    finished: Sequence[Predictions],  # of one split, or repeats "name #2", ... of other splits
    *,
    stopped: Sequence[Sequence[float]] = (),  # fold scores of trials that a search stopped
) -> Winner:
    """Return the best of the trials, and its score corrected for the choice, with an interval.

    The choice is cross-validated: choose the best trial on nine tenths of the units (rows, or
    groups of rows), score it on the last tenth. The mean over 100 random divisions has no luck of
    choosing, and it costs no further training. Bootstrap bias correction (Tsamardinos, Greasidou
    and Borboudakis 2018) does the same with draws of the units; it chooses on fewer of them, so it
    corrects too much where one trial is truly better. Metrics that are no mean over rows use
    jackknife pseudo-values. Where a search stopped trials, the luck on the first fold, which
    decided about them, is subtracted too.

    The worse end of the interval is simultaneous: it covers the true scores of all trials, so also
    that of the chosen one. The better end is that of a single trial. Raises DataError when no trial
    finished. Sources:
    Varma and Simon, Bias in error estimation when using cross-validation for model selection
    (2006); Westphal and Brannath, Evaluation of multiple prediction models (2020): the interval.
    """
    if not finished:
        raise DataError("There is no best trial: no trial finished. Read the errors of the trials.")
    sign = 1 if finished[0].scoring.higher_is_better else -1
    pools = pooled(on_common_rows(finished))
    values, won = unit_values(pools), pools[0]
    luck, luck_of_fold = _luck_of_units(values), 0.0
    if stopped:
        scores = sign * np.array([pool.repeats[0].fold_scores for pool in pools])
        firsts = sign * np.array([fold_scores[0] for fold_scores in stopped])
        luck_of_fold = _luck_of_first_fold(scores, firsts)
    to_worse, to_better = _ends(values)
    below = won.score - sign * (luck_of_fold + to_worse * won.score_se)
    above = won.score - sign * (luck_of_fold - to_better * won.score_se)
    corrected = won.score - sign * (luck + luck_of_fold)
    return Winner(
        won.name,
        won.repeats[0].metric,
        won.score,
        won.score_se,
        float(corrected),
        float(min(below, above)),
        float(max(below, above)),
        n_tried=len(pools) + len(stopped),
    )


def _luck_of_units(
    values: np.ndarray,  # (n, n_trials), higher is better, the best trial first
) -> float:
    """Return by how much the score of the best trial exceeds that of the cross-validated choice."""
    n, n_trials = values.shape
    if n < 2 or n_trials < 2:
        return 0.0
    rng = np.random.default_rng(0)
    groups = np.array_split(rng.permutation(n), min(n, _MOST_UNITS))
    means = np.stack([values[group].mean(0) for group in groups])
    n_parts = min(_PARTS, len(means))
    starts = np.arange(n_parts) * len(means) // n_parts
    sizes = np.diff(np.append(starts, len(means)))
    whole, lost = means.sum(0), 0.0
    for _ in range(_DIVISIONS):
        sums = np.add.reduceat(means[rng.permutation(len(means))], starts, axis=0)
        chosen = ((whole - sums) / (len(means) - sizes)[:, None]).argmax(1)
        # against the best trial on the same units: without it, the mean depends on the division
        lost += (sums[:, 0] - sums[np.arange(n_parts), chosen]).sum()
    return float(lost / _DIVISIONS / len(means))


def _ends(values: np.ndarray) -> tuple[float, float]:
    """Return how many standard errors the interval reaches to the worse and to the better side.

    values: (n_units, n_trials), the best trial first. Both ends miss with the same chance, and both
    together with 5% at most where all trials are equal, or where the best is clearly better.
    """
    from scipy.stats import norm, t

    if len(values) < 2:
        return float("nan"), float("nan")
    cov = np.atleast_2d(np.cov(values.T))
    se = np.sqrt(np.diag(cov))[:, None]
    leads = gaussian_draws(cov) / np.where(se > 0, se, np.inf)
    largest, of_best = np.sort(leads.max(0)), np.sort(leads[0])
    chances = np.linspace(ALPHA / 2, ALPHA, 51)
    worse, better = np.quantile(largest, 1 - chances), norm.isf(chances)
    if_equal = chances + np.searchsorted(largest, -better) / len(largest)
    if_clear = chances + 1 - np.searchsorted(of_best, worse) / len(of_best)
    fits = np.maximum(if_equal, if_clear) <= ALPHA
    i = np.flatnonzero(fits)[-1] if fits.any() else 0
    tails = norm.sf([worse[i] if len(cov) > 1 else better[i], better[i]])
    low, high = t.isf(tails, len(values) - 1)
    return float(low), float(high)


def _luck_of_first_fold(
    scores: np.ndarray,  # (n_finished, n_folds), higher is better, the best trial first
    stopped: np.ndarray,  # (n_stopped,) scores on the first fold
) -> float:
    """Return the luck of the best trial on the first fold, in its score over all folds.

    Regression to the mean: the part of its lead that is noise, of all differences on this fold.
    """
    (n_trials, n_folds), firsts = scores.shape, np.append(scores[:, 0], stopped)
    rest = scores - scores.mean(1, keepdims=True) - scores.mean(0) + scores.mean()
    noise = (rest**2).sum() / ((n_trials - 1) * (n_folds - 1)) if n_trials > 1 else np.inf
    spread = firsts.var(ddof=1)
    if not spread > 0:  # equal, or a fold without a score
        return 0.0
    return float(min(noise / spread, 1.0) * (scores[0, 0] - firsts.mean()) / n_folds)
