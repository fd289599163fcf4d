"""Compare two recipes: ways to train, over repeats with other seeds and other splits."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..data import Array
from ..exceptions import DataError
from ..predictions import Predictions, recipe_of
from ..ui.records import Shown
from .compare import ALPHA
from .resampled_t import resampled_t

TEST = "corrected resampled t"


@dataclass(frozen=True, repr=False)
class RecipeComparison(Shown):
    """The difference between two ways to train, on data like this."""

    a: str
    b: str
    metric: str
    gain: float  # mean difference of the fold scores; positive: a is better, for every metric
    se: float  # standard error of the gain
    p_value: float  # two-sided; valid whenever one looks: see `compare_recipes`
    p_value_once: float  # if the number of repeats was fixed before the first look
    p_better: float  # probability that a is better by more than the rope
    p_same: float  # that the difference is within the rope
    p_worse: float
    rope: float  # region of practical equivalence: smaller differences do not matter
    n_repeats: int
    n_splits: int  # 1: all repeats have one split, and only their seeds differ
    n_folds: int
    a_score: float  # mean of the fold scores
    b_score: float
    higher_is_better: bool

    @property
    def verdict(self) -> str:
        """Whether a is better, worse, or cannot be told apart from b (p >= 0.05)."""
        if self.p_value >= ALPHA:
            return "cannot be told apart"
        return "better" if self.gain > 0 else "worse"

    def _repeats(self) -> str:
        folds = "1 fold" if self.n_folds == 1 else f"{self.n_folds} folds"
        kind = "repeats" if self.n_splits > 1 else "seeds on one split"
        return f"{self.n_repeats} {kind} x {folds}"

    def _probabilities(self) -> str:
        if not self.rope:
            return f"P({self.a} is better) = {self.p_better:.2f}"
        return (
            f"P(better by more than {self.rope:g}) = {self.p_better:.2f}, "
            f"P(within {self.rope:g}) = {self.p_same:.2f}, P(worse) = {self.p_worse:.2f}"
        )

    def _facts(self) -> dict[str, object]:
        direction = "higher" if self.higher_is_better else "lower"
        return {
            "metric": f"{self.metric}, {direction} is better",
            "first recipe": f"{self.a} {self.a_score:.4f}",
            "second recipe": f"{self.b} {self.b_score:.4f}",
            "over": self._repeats(),
            "difference": f"{self.gain:+.4f} ± {self.se:.4f}, positive if the first is better",
            "p": f"{self.p_value:.2g} ({TEST}, after any number of repeats)",
            "Bayesian": self._probabilities(),
            "verdict": self.verdict,
        }

    def __str__(self) -> str:
        decimals = 3 if abs(self.gain) >= 0.001 or not self.gain else 5
        a, b, se = (f"{v:.{decimals}f}" for v in (self.a_score, self.b_score, self.se))
        direction = "higher" if self.higher_is_better else "lower"
        verdict = self.verdict
        if self.p_value < ALPHA:
            verdict = f"{self.a if self.gain > 0 else self.b} is better"
        return (
            f"recipes: {self.a} {a} against {self.b} {b} over {self._repeats()} ({self.metric}, "
            f"{direction} is better): {self.gain:+.{decimals}f} ± {se}, p = {self.p_value:.2g} "
            f"({TEST}): {verdict}; {self._probabilities()}"
        )


def compare_recipes(
    a_repeats: Sequence[Predictions],  # of one recipe, each with another seed and split
    b_repeats: Sequence[Predictions],  # of the other; the two of a pair share their split
    *,
    rope: float = 0.0,  # differences up to this, in the metric, do not matter
) -> RecipeComparison:
    """Test whether the way to train `a` is better than `b`, on data like this.

    The corrected resampled t-test on the paired scores of all folds decides. Its standard error
    counts that training sets share most of their rows. The correlated Bayesian t-test gives the
    probabilities, from the same numbers. Repeats on one split are averaged first.

    One may look after each repeat, and add repeats until the answer is clear: `p_value` is the
    probability of so large a difference at any look, from 2 repeats on. This costs little, because
    each further repeat of the same rows tells less.

    Raises DataError for fewer than two pairs, and for pairs of different metrics, rows or folds.
    Sources: Nadeau and Bengio (2003), Benavoli et al. (2017), Jennison and Turnbull (2000), see
    `resampled_t`.
    """
    if len(a_repeats) != len(b_repeats) or len(a_repeats) < 2:
        raise DataError(
            "Cannot compare the recipes: expected at least 2 repeats of both, in pairs, got "
            f"{len(a_repeats)} and {len(b_repeats)}. Run both with --repeats 3."
        )
    if not rope >= 0:
        raise DataError(f"Expected a rope of 0 or more, in units of the metric, got {rope}.")
    scores: dict[bytes, list[Array]] = {}  # by split
    for a, b in zip(a_repeats, b_repeats, strict=True):
        scores.setdefault(a.folds.tobytes(), []).append(_fold_scores(a, b))
    means = np.array([np.mean(pairs, 0) for pairs in scores.values()])  # (n_splits, 2, n_folds)
    first = a_repeats[0]
    sign = 1 if first.scoring.higher_is_better else -1
    found = resampled_t(sign * (means[:, 0] - means[:, 1]), _test_ratio(first))
    return RecipeComparison(
        recipe_of(first.name)[0],
        recipe_of(b_repeats[0].name)[0],
        first.metric,
        found.gain,
        found.se,
        found.p_value,
        found.p_value_once,
        *found.probabilities(rope),
        rope,
        n_repeats=len(a_repeats),
        n_splits=len(scores),
        n_folds=found.n_folds,
        a_score=float(np.nanmean(means[:, 0])),
        b_score=float(np.nanmean(means[:, 1])),
        higher_is_better=sign > 0,
    )


def _fold_scores(a: Predictions, b: Predictions) -> Array:
    """Return the fold scores (2, n_folds) of a pair. Raises DataError."""
    if a.metric != b.metric:
        raise DataError(
            f"Cannot compare {a.name}, scored by {a.metric}, with {b.name}, scored by {b.metric}. "
            "Compare two recipes on one metric."
        )
    b = b.aligned(a.ids, a.test_ids, a.vocab)
    if not (np.array_equal(a.targs, b.targs) and np.array_equal(a.folds, b.folds)):
        raise DataError(
            f"Cannot pair {a.name} with {b.name}: they have other targets or other folds. "
            "Run both recipes with the same seeds of the split, on the same data."
        )
    return np.array([a.fold_scores, b.fold_scores])


def _test_ratio(preds: Predictions) -> float:
    """Return how many rows are validated for each row fitted on, as the mean over folds."""
    folds = preds.folds
    numbers = range(int(folds.max()) + 1)
    validated = np.array([(folds == k).sum() for k in numbers])
    fitted = len(folds) - validated
    if preds.about.get("split") == "time":  # earlier rows only
        fitted = np.array([(folds < k).sum() for k in numbers])
    return float(np.mean(validated / fitted))
