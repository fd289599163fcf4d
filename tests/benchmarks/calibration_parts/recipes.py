"""`compare_recipes`: false positives, also when one looks after each repeat; and power.

Small trees take the place of networks: a tree with random cuts depends on its seed even more.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import norm
from sklearn.tree import (
    DecisionTreeClassifier,
    DecisionTreeRegressor,
    ExtraTreeClassifier,
    ExtraTreeRegressor,
)

from fastkaggle_plus import Predictions, compare, make_folds
from fastkaggle_plus.evidence.repeated_t import RepeatedT, resampled_t, rows_and_repeats_t

from .rates import rate

N_FOLDS, N_REPEATS, RATIO = 5, 10, 0.25
ALPHA, EFFECT = 0.05, 3.0
CLASSES, VALUES = ("accuracy", "auc", "log_loss"), ("rmse",)
SIZES = ((1000, 60), (5000, 15))  # rows, data sets
# of a normal mixture, the best for these repeats: an e-value of 20 needs |z| >= 3.03
E_VALUE_Z = min(np.sqrt((1 + 1 / g) * (2 * np.log(1 / ALPHA) + np.log1p(g))) for g in range(1, 30))

Recipe = Callable[[bool, int], object]  # (has classes, seed) -> an estimator


def tables(scale: float, rng: np.random.Generator) -> Iterator[tuple[str, list[dict[str, object]]]]:
    """Yield false positives, looks and power for two recipes, then for one with two seeds."""
    for title, recipe, views in (
        ("two recipes of equal skill (trees on two equal views)", view_tree, (0, 1)),
        ("one recipe with two seeds (trees with random cuts)", random_tree, (0, 0)),
    ):
        rows, powers = [], []
        for n, n_sets in SIZES:
            found = simulate(n, max(round(n_sets * scale), 5), rng, recipe, views=views)
            for metric, sets in found.items():
                rows.append({"n": n, "metric": metric, **false_positives(sets)})
                powers.append({"n": n, "metric": metric, **power(sets)})
        yield f"{title}, {N_FOLDS} folds: false positives at p < 0.05", rows
        yield f"{title}: power at a true effect of {EFFECT:g} standard errors", powers


def view_tree(has_classes: bool, seed: int) -> object:
    tree = DecisionTreeClassifier if has_classes else DecisionTreeRegressor
    return tree(max_leaf_nodes=16, random_state=seed)


def random_tree(has_classes: bool, seed: int) -> object:
    tree = ExtraTreeClassifier if has_classes else ExtraTreeRegressor
    return tree(max_leaf_nodes=32, random_state=seed)


@dataclass
class DataSet:
    """The comparison of two recipes on one simulated data set."""

    tests: list[RepeatedT]  # after 2, 3, ... repeats
    resampled: list[RepeatedT]
    row_p: float  # of `compare` on the first split


def simulate(
    n: int, n_sets: int, rng: np.random.Generator, recipe: Recipe, *, views: tuple[int, int]
) -> dict[str, list[DataSet]]:
    """Return by metric the results on data sets whose two views of the features are alike."""
    found: dict[str, list[DataSet]] = {metric: [] for metric in (*CLASSES, *VALUES)}
    for _ in range(n_sets):
        x = rng.normal(size=(n, 2, 4))
        signal = (x[..., 0] + x[..., 1] * x[..., 2]).sum(1)
        for metrics in (CLASSES, VALUES):
            has_classes = metrics is CLASSES
            y = signal + 2 * rng.normal(size=n)
            y = (y > 0).astype(int) if has_classes else y
            seeds = rng.integers(2**30, size=2)
            pairs = [
                [oof(recipe, x[:, v], y, int(s) + k, k) for v, s in zip(views, seeds, strict=True)]
                for k in range(N_REPEATS)
            ]
            for metric in metrics:
                scored = [[preds(o, y, folds, metric) for o, folds in pair] for pair in pairs]
                found[metric].append(tested(scored))
    return found


def tested(pairs: list[list[Predictions]]) -> DataSet:
    sign = 1 if pairs[0][0].scoring.higher_is_better else -1
    folds = sign * np.array([np.subtract(a.fold_scores, b.fold_scores) for a, b in pairs])
    values = sign * np.array([a.pseudo_values - b.pseudo_values for a, b in pairs])
    looks = range(2, len(pairs) + 1)
    return DataSet(
        [rows_and_repeats_t(values[:k], RATIO, N_FOLDS) for k in looks],
        [resampled_t(folds[:k], RATIO) for k in looks],
        compare(*pairs[0]).p_value,
    )


def oof(
    recipe: Recipe, x: np.ndarray, y: np.ndarray, seed: int, split_seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return out-of-fold predictions, and the folds."""
    has_classes = y.dtype == int
    folds = make_folds(y, n_folds=N_FOLDS, seed=split_seed)
    out = np.zeros((len(y), 2 if has_classes else 1))
    for fit, rows in folds.splits():
        fitted = recipe(has_classes, seed).fit(x[fit], y[fit])
        out[rows] = (
            fitted.predict_proba(x[rows]) if has_classes else fitted.predict(x[rows])[:, None]
        )
    return out, folds.assignment


def preds(out: np.ndarray, y: np.ndarray, folds: np.ndarray, metric: str) -> Predictions:
    ids, none = np.arange(len(y)), np.empty((0, out.shape[1]))
    vocab = (0, 1) if y.dtype == int else ()
    task = "binary" if vocab else "regression"
    return Predictions("tree", metric, task, vocab, ids, y, out, folds, ids[:0], none)


def false_positives(sets: list[DataSet]) -> dict[str, object]:
    def share(wrong: Callable[[DataSet], bool]) -> str:
        return rate(sum(map(wrong, sets)), len(sets))

    return {
        "data sets": len(sets),
        "fits": share(lambda s: s.row_p < ALPHA),
        "recipes, 3 repeats": share(lambda s: s.tests[1].p_value < ALPHA),
        "10 repeats": share(lambda s: s.tests[-1].p_value < ALPHA),
        "at any of 9 looks": share(lambda s: any(t.p_value < ALPHA for t in s.tests)),
        "looks, uncorrected": share(lambda s: any(t.p_value_once < ALPHA for t in s.tests)),
        "resampled t, 3": share(lambda s: s.resampled[1].p_value_once < ALPHA),
    }


def power(sets: list[DataSet]) -> dict[str, object]:
    """Return how often a shift is found that is EFFECT times the true standard error.

    That error is the spread of the gain over the data sets; a z-test that knows it is the best
    unbiased test.
    """
    n, found = len(sets), {"n sets": len(sets)}
    for k in (3, N_REPEATS):
        gains = np.array([s.tests[k - 2].gain for s in sets])
        se = float(np.sqrt(np.mean(gains**2)))  # around the true difference, which is 0
        tests = [replace(t, gain=t.gain + EFFECT * se) for t in (s.tests[k - 2] for s in sets)]
        fold_tests = [s.resampled[k - 2] for s in sets]
        fold_tests = [replace(t, gain=t.gain + EFFECT * se) for t in fold_tests]
        z = norm.isf([t.p_value_once / 2 for t in tests])
        found |= {
            f"best, {k} repeats": rate(sum(abs(gains + EFFECT * se) > norm.isf(ALPHA / 2) * se), n),
            f"recipes, {k}": rate(sum(t.p_value < ALPHA for t in tests), n),
            f"resampled t, {k}": rate(sum(t.p_value_once < ALPHA for t in fold_tests), n),
            f"e-value, {k}": rate(sum(z >= E_VALUE_Z), n),
        }
    return found
