"""`compare_recipes`: false positives, also when one looks after each repeat; and power.

Small trees take the place of networks: a tree with random cuts depends on its seed as much.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm
from sklearn.tree import (
    DecisionTreeClassifier,
    DecisionTreeRegressor,
    ExtraTreeClassifier,
    ExtraTreeRegressor,
)

from fastkaggle_plus import Predictions, compare, make_folds
from fastkaggle_plus.evidence.resampled_t import ResampledT, resampled_t

from .rates import rate

N_FOLDS, N_REPEATS, RATIO = 5, 10, 0.25
ALPHA, EFFECT = 0.05, 3.0
CLASSES, VALUES = ("accuracy", "auc", "log_loss"), ("rmse",)
# of a normal mixture, the best for these repeats: an e-value of 20 needs |z| >= 3.03
E_VALUE_Z = min(np.sqrt((1 + 1 / g) * (2 * np.log(1 / ALPHA) + np.log1p(g))) for g in range(1, 30))

Recipe = Callable[[bool, int], object]  # (has classes, seed) -> an estimator


def tables(scale: float, rng: np.random.Generator) -> Iterator[tuple[str, list[dict[str, object]]]]:
    """Yield false positives, looks and power; then those of one recipe with two seeds."""
    rows, looks, powers = [], [], []
    for n, n_sets in ((1000, 120), (5000, 30)):
        found = simulate(n, max(round(n_sets * scale), 5), rng, view_tree, views=(0, 1))
        for metric, sets in found.items():
            rows.append({"n": n, "metric": metric, **false_positives(sets)})
            looks.append({"n": n, "metric": metric, **any_look(sets)})
            powers.append({"n": n, "metric": metric, **power(sets)})
    yield f"two recipes of equal skill, {N_FOLDS} folds: false positives at p < 0.05", rows
    yield "the same, one looks after each of 2 to 10 repeats: p < 0.05 at any look", looks
    yield f"power at a true effect of {EFFECT:g} standard errors", powers
    rows = []
    for n, n_sets in ((1000, 120), (5000, 30)):
        found = simulate(n, max(round(n_sets * scale), 5), rng, random_tree, views=(0, 0))
        for metric, sets in found.items():
            rows.append({"n": n, "metric": metric, **false_positives(sets), **any_look(sets)})
    yield "one recipe with two seeds: false positives at p < 0.05", rows


def view_tree(has_classes: bool, seed: int) -> object:
    tree = DecisionTreeClassifier if has_classes else DecisionTreeRegressor
    return tree(max_leaf_nodes=16, random_state=seed)


def random_tree(has_classes: bool, seed: int) -> object:
    tree = ExtraTreeClassifier if has_classes else ExtraTreeRegressor
    return tree(max_leaf_nodes=32, random_state=seed)


@dataclass
class Sets:
    """Simulated data sets, each with the gains of one recipe over another."""

    gains: np.ndarray  # (n_sets, N_REPEATS, N_FOLDS)
    row_p: np.ndarray  # (n_sets,) of `compare` on the first split

    def test(self, i: int, n_repeats: int, *, shift: float = 0.0) -> ResampledT:
        return resampled_t(self.gains[i, :n_repeats] + shift, RATIO)


def simulate(
    n: int, n_sets: int, rng: np.random.Generator, recipe: Recipe, *, views: tuple[int, int]
) -> dict[str, Sets]:
    """Return by metric the results on data sets whose two views of the features are alike."""
    by_metric: dict[str, list[tuple[np.ndarray, float]]] = {m: [] for m in (*CLASSES, *VALUES)}
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
                sign = 1 if scored[0][0].scoring.higher_is_better else -1
                gains = [sign * np.subtract(a.fold_scores, b.fold_scores) for a, b in scored]
                by_metric[metric].append((np.array(gains), compare(*scored[0]).p_value))
    return {
        metric: Sets(np.array([g for g, _ in found]), np.array([p for _, p in found]))
        for metric, found in by_metric.items()
    }


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


def false_positives(sets: Sets) -> dict[str, object]:
    n = len(sets.gains)
    tests = [sets.test(i, 3) for i in range(n)]
    return {
        "data sets": n,
        "fits (rows)": rate(sum(sets.row_p < ALPHA), n),
        "recipes, 3 repeats": rate(sum(t.p_value < ALPHA for t in tests), n),
        "without looks": rate(sum(t.p_value_once < ALPHA for t in tests), n),
    }


def any_look(sets: Sets) -> dict[str, object]:
    n = len(sets.gains)
    looks = [[sets.test(i, k) for k in range(2, N_REPEATS + 1)] for i in range(n)]
    least = [min(t.p_value for t in tests) for tests in looks]
    once = [min(t.p_value_once for t in tests) for tests in looks]
    return {
        "any look": rate(sum(p < ALPHA for p in least), n),
        "any look, uncorrected": rate(sum(p < ALPHA for p in once), n),
    }


def power(sets: Sets) -> dict[str, object]:
    """Return how often a shift is found that is EFFECT times the true standard error.

    That error is the spread of the gain over the data sets; a z-test that knows it is the best
    unbiased test.
    """
    n, found = len(sets.gains), {}
    for k in (3, N_REPEATS):
        gains = sets.gains[:, :k].mean((1, 2))
        se = gains.std(ddof=1)
        tests = [sets.test(i, k, shift=EFFECT * se) for i in range(n)]
        z = norm.isf([t.p_value_once / 2 for t in tests])
        found |= {
            f"best, {k} repeats": rate(sum(abs(gains + EFFECT * se) > norm.isf(ALPHA / 2) * se), n),
            f"recipes, {k}": rate(sum(t.p_value < ALPHA for t in tests), n),
            f"without looks, {k}": rate(sum(t.p_value_once < ALPHA for t in tests), n),
            f"e-value, {k}": rate(sum(z >= E_VALUE_Z), n),
        }
    return found
