"""The trials of a board that may be the best, by one joint test of all pairs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..exceptions import DataError
from ..predictions import Predictions
from ..ui.records import Shown, joined
from .compare import ALPHA, why_no_test
from .max_t import step_down, variances_of_pairs
from .pooling import Pooled, on_common_rows, pooled, unit_values
from .recipes import test_ratio


@dataclass(frozen=True, repr=False)
class BestSet(Shown):
    """The trials that cannot be told apart from the best; all others are worse."""

    best: str  # the trial with the best score
    names: tuple[str, ...]  # of the set, best first
    p_values: dict[str, float]  # by trial, adjusted: that no trial is better than it
    test: str  # the test that gave the p-values
    question: str  # fits | recipes: what the test speaks of
    n_units: int  # rows, groups of rows, or blocks of time

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
        of = "these fits" if self.question == "fits" else "recipes"
        return self.test if self.test.startswith("no test") else f"{self.test}, of {of}"

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

    Where all trials have the same repeats, two or more, the verdict speaks of recipes: the error
    is that of `compare_recipes`, from units and repeats, for one look. Else it speaks of these
    fits, and the error is that of the units: rows, groups of rows, or blocks of time. With fewer
    than ten units of the rarer class there is no test, as in `compare`. Raises DataError when the
    trials have different metrics, rows or targets. Sources: Hothorn, Bretz and Westfall,
    Simultaneous inference in general parametric models (2008): the maximum over all pairs; Romano
    and Wolf, Exact and approximate stepdown methods for multiple hypothesis testing (2005): the
    steps.
    """
    if not trials:
        raise DataError("There is no best trial: no trial finished. Read the errors of the trials.")
    pools = pooled(on_common_rows(trials))
    first, names = pools[0].repeats[0], [pool.name for pool in pools]
    rows, values, scoring = first.validated, unit_values(pools), first.scoring
    units = np.arange(len(rows)) if first.groups is None else first.groups
    p_values, is_of_recipes = np.ones(len(pools)), _have_shared_repeats(pools)
    kind = "pseudo-values and repeats" if is_of_recipes else "pseudo-values"
    test = f"step-down max-T of all pairs on {kind}"
    if reason := why_no_test(
        pools[0].values, scoring, first.targs[rows], units[rows], has_classes=bool(first.vocab)
    ):
        test = f"no test: {reason}"
    elif len(pools) > 1:
        sign = 1 if scoring.higher_is_better else -1
        scores = sign * np.array([pool.score for pool in pools])
        cov, df = _errors_of_recipes(pools, values) if is_of_recipes else (None, None)
        p_values = step_down(scores, values, cov=cov, df=df)
    return BestSet(
        names[0],
        tuple(name for name, p in zip(names, p_values, strict=True) if p >= ALPHA),
        dict(zip(names, p_values.tolist(), strict=True)),
        test,
        "recipes" if is_of_recipes else "fits",
        len(values),
    )


def _have_shared_repeats(pools: Sequence[Pooled]) -> bool:
    """Say whether all trials have the same repeats, two or more, on the same rows and folds."""
    first = pools[0]
    if len(first.repeats) < 2 or any(pool.numbers != first.numbers for pool in pools):
        return False
    rows = first.repeats[0].validated
    return all(
        np.array_equal(preds.folds, other.folds) and np.array_equal(preds.validated, rows)
        for pool in pools
        for preds, other in zip(pool.repeats, first.repeats, strict=True)
    )


def _errors_of_recipes(
    pools: Sequence[Pooled], values: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the covariance of the scores, and the degrees of freedom of each pair.

    Both as in `rows_and_repeats_t`, here for all pairs.
    """
    first, n_repeats = pools[0].repeats[0], len(pools[0].repeats)
    scores = np.array([[preds.oof_score for preds in pool.repeats] for pool in pools])
    overlap = len(first.fold_scores) * test_ratio(first)
    of_rows = (overlap + 1 / n_repeats) * np.cov(values.T) / len(values)
    of_luck = np.cov(scores) / n_repeats
    rows, luck = (variances_of_pairs(cov) for cov in (of_rows, of_luck))
    spread = rows**2 / (len(values) - 1) + luck**2 / (n_repeats - 1)
    df = (rows + luck) ** 2 / np.where(spread > 0, spread, np.inf)
    return of_rows + of_luck, np.maximum(df, 1)
