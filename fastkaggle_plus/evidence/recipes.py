"""Compare two recipes: ways to train, over repeats with other seeds and other splits."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..exceptions import DataError
from ..predictions import Predictions, recipe_of
from ..ui.records import Shown
from .compare import ALPHA, compare
from .repeated_t import resampled_t, rows_and_repeats_t

CORRECTED_T, RESAMPLED_T = "corrected t on rows and repeats", "corrected resampled t"


@dataclass(frozen=True, repr=False)
class RecipeComparison(Shown):
    """The difference between two ways to train, on data like this."""

    a: str
    b: str
    metric: str
    gain: float  # mean difference of the CV scores; positive: a is better, for every metric
    se: float  # standard error of the gain
    p_value: float  # two-sided; valid whenever one looks: see `compare_recipes`
    p_value_once: float  # if the number of repeats was fixed before the first look
    test: str  # the test that gave p_value
    p_resampled: float  # of the corrected resampled t on fold scores, which is more careful
    p_better: float  # probability that a is better by more than the rope
    p_same: float  # that the difference is within the rope
    p_worse: float
    rope: float  # region of practical equivalence: smaller differences do not matter
    n_repeats: int
    n_splits: int  # 1: all repeats have one split, and only their seeds differ
    n_folds: int
    a_score: float  # mean of the CV scores
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
            return f"P({self.a} is better) = {self.p_better + self.p_same / 2:.2f}"
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
            "p": f"{self.p_value:.2g} ({self.test}), however often one looks",
            "other test": f"p = {self.p_resampled:.2g} ({RESAMPLED_T}, one look)",
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
            f"({self.test}): {verdict}; {self._probabilities()}"
        )


def compare_recipes(
    a_repeats: Sequence[Predictions],  # of one recipe, each with another seed and split
    b_repeats: Sequence[Predictions],  # of the other; the two of a pair share their split
    *,
    rope: float = 0.0,  # differences up to this, in the metric, do not matter
) -> RecipeComparison:
    """Test whether the way to train `a` is better than `b`, on data like this.

    Where all repeats validate the same rows, `rows_and_repeats_t` decides; for repeated holdouts
    the corrected resampled t-test. Both count that training sets share most of their rows. The
    probabilities are those of the correlated Bayesian t-test, from the same numbers.

    One may look after each repeat, and add repeats until the answer is clear: `p_value` is the
    probability of so large a difference at any look, from 2 repeats on. This costs little, because
    each further repeat of the same rows adds less.

    Raises DataError for fewer than two pairs, and for pairs of different metrics, rows or folds.
    Sources: Nadeau and Bengio (2003), Benavoli et al. (2017), Jennison and Turnbull (2000): see
    `repeated_t`.
    """
    if len(a_repeats) != len(b_repeats) or len(a_repeats) < 2:
        raise DataError(
            "Cannot compare the recipes: expected at least 2 repeats of both, in pairs, got "
            f"{len(a_repeats)} and {len(b_repeats)}. Run both with --repeats 3."
        )
    if not rope >= 0:
        raise DataError(f"Expected a rope of 0 or more, in units of the metric, got {rope}.")
    first, sign = a_repeats[0], 1 if a_repeats[0].scoring.higher_is_better else -1
    fits = compare(first, b_repeats[0])  # refuses other metrics and targets
    pairs = [_paired(a, b, first) for a, b in zip(a_repeats, b_repeats, strict=True)]
    folds = sign * np.array([np.subtract(a.fold_scores, b.fold_scores) for a, b in pairs])
    ratio = test_ratio(first)
    found, test = resampled_t(folds, ratio), RESAMPLED_T
    p_values = found.p_value, found.p_value_once
    resampled = found.p_value_once
    if fits.test.startswith("no test"):  # such as too few rows of a class
        p_values, test = (1.0, 1.0), fits.test
    elif all(np.array_equal(first.validated, p.validated) for pair in pairs for p in pair):
        values = sign * np.array([a.pseudo_values - b.pseudo_values for a, b in pairs])
        found, test = rows_and_repeats_t(values, ratio, folds.shape[1]), CORRECTED_T
        p_values = found.p_value, found.p_value_once
    scores = np.mean([[a.oof_score, b.oof_score] for a, b in pairs], 0)
    return RecipeComparison(
        recipe_of(first.name)[0],
        recipe_of(b_repeats[0].name)[0],
        first.metric,
        found.gain,
        found.se,
        *p_values,
        test,
        resampled,
        *found.probabilities(rope),
        rope,
        n_repeats=len(pairs),
        n_splits=len({a.folds.tobytes() for a, _ in pairs}),
        n_folds=folds.shape[1],
        a_score=float(scores[0]),
        b_score=float(scores[1]),
        higher_is_better=sign > 0,
    )


def _paired(a: Predictions, b: Predictions, like: Predictions) -> tuple[Predictions, Predictions]:
    """Return a pair with the rows in the order of `like`. Raises DataError."""
    a, b = a.aligned_with(like), b.aligned_with(like)
    if not np.array_equal(a.folds, b.folds):
        raise DataError(
            f"Cannot pair {a.name} with {b.name}: they have other folds. "
            "Run both recipes with the same seeds of the split."
        )
    return a, b


def test_ratio(preds: Predictions) -> float:
    """Return how many rows are validated for each row fitted on, as the mean over folds."""
    folds = preds.folds
    numbers = range(int(folds.max()) + 1)
    validated = np.array([(folds == k).sum() for k in numbers])
    fitted = len(folds) - validated
    if preds.about.get("split") == "time":  # earlier rows only
        fitted = np.array([(folds < k).sum() for k in numbers])
    return float(np.mean(validated / fitted))
