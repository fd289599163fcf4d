"""Many trials: false "worse" claims, whether the set has the true best, and the corrected score."""

from collections.abc import Iterator

import numpy as np
from scipy.stats import norm, t, ttest_1samp
from sklearn.tree import DecisionTreeRegressor

from fastkaggle_plus import Predictions, best_of, best_set, make_folds
from fastkaggle_plus.evidence.best_set import ALPHA, largest_leads, step_down

from .rates import rate

LIKE = 0.8  # correlation of two trials' losses on the same rows


def losses(rng, n, k, *, like=LIKE, worse=0.0, binary=False) -> np.ndarray:
    """Losses (n, k) of trials; `worse` is in standard errors of the difference of two trials."""
    shared, own = rng.normal(size=(n, 1)), rng.normal(size=(n, k))
    x = np.sqrt(like) * shared + np.sqrt(1 - like) * own
    x = x + np.asarray(worse) * np.sqrt(2 * (1 - like) / n)
    return (x > 0.8).astype(float) if binary else x


def as_trials(values: np.ndarray, groups=None) -> list[Predictions]:
    """Trials whose rows have these losses, scored by the mean absolute error."""
    n, k = values.shape
    values, ids, none = values + 20, np.arange(n), np.empty(0)  # 20: losses are positive
    same = ids, np.zeros(n)
    given = [(f"t{i}", "mae", "regression", (), *same, values[:, [i]]) for i in range(k)]
    return [Predictions(*g, ids % 5, none, np.empty((0, 1)), groups=groups) for g in given]


def by_group(rng, n_groups, size, k, icc) -> list[Predictions]:
    shared = np.repeat(rng.normal(size=(n_groups, 1)) + rng.normal(size=(n_groups, k)), size, 0)
    rows = rng.normal(size=(n_groups * size, 1)) + rng.normal(size=(n_groups * size, k))
    values = np.sqrt(icc) * shared + np.sqrt(1 - icc) * rows
    return as_trials(values, np.repeat(np.arange(n_groups), size))


def for_auc(rng, n, k) -> list[Predictions]:
    """Classifiers of equal skill, whose scores are alike."""
    truth, none = (rng.random(n) < 0.3).astype(int), np.empty(0)
    shared, ids = truth + rng.normal(size=n), np.arange(n)
    found = []
    for i in range(k):
        p = norm.cdf(shared + rng.normal(0, 0.5, n) - 0.5)
        facts = f"t{i}", "roc_auc", "binary", (0, 1), ids, truth, np.stack([1 - p, p], 1), ids % 5
        found.append(Predictions(*facts, none, np.empty((0, 2))))
    return found


def leads_over(values: np.ndarray) -> np.ndarray:
    """The largest t value of a trial's lead over each, as a normal value."""
    n = len(values)
    pairs = values[:, :, None] - values[:, None]  # (n, k, k): positive where the second is better
    se = pairs.std(0, ddof=1) / np.sqrt(n)
    return norm.isf(t.sf((pairs.mean(0) / np.where(se > 0, se, np.inf)).max(1), n - 1))


def called_worse(values: np.ndarray) -> dict[str, bool]:
    """Whether any trial is called worse, by each method; values (n_units, k), lower is better."""
    scores = -values.mean(0)
    leads, largest = leads_over(values), largest_leads(values)
    best = scores.argmax()
    others = np.delete(np.arange(len(scores)), best)
    p = np.sort(ttest_1samp(values[:, others] - values[:, [best]], 0).pvalue)
    return {
        "best_set": step_down(scores, -values).min() < ALPHA,
        "Hsu's comparison with the best": (leads > np.quantile(largest, 1 - ALPHA, axis=1)).any(),
        "Holm against the best": p[0] * len(p) < ALPHA,
        "each p < 0.05": p[0] < ALPHA,
    }


def tables(scale: float, rng: np.random.Generator) -> Iterator[tuple[str, list[dict[str, object]]]]:
    yield "boards of equal trials, at least one is called worse", equal_boards(scale, rng)
    yield "boards of 20, the set of the best", unequal_boards(scale, rng)
    yield "boards of 6 equal recipes, trees on views of 600 rows", recipes(scale, rng)
    yield "score of the best, in standard errors, and its 95% interval", corrected(scale, rng)


def equal_boards(scale: float, rng: np.random.Generator) -> list[dict[str, object]]:
    kinds = {
        "losses, 1,000 rows, 14 trials": lambda: losses(rng, 1000, 14),
        "losses, 1,000 rows, 20 trials": lambda: losses(rng, 1000, 20),
        "losses, 40 units, 20 trials": lambda: losses(rng, 40, 20),
        "accuracy, 1,000 rows, 20 trials": lambda: losses(rng, 1000, 20, binary=True),
    }
    rows = []
    for name, make in kinds.items():
        n = round(300 * scale)
        found = [called_worse(make()) for _ in range(n)]
        rows.append({"board": name, "boards": n})
        rows[-1] |= {method: rate(sum(f[method] for f in found), n) for method in found[0]}
    whole = {
        "groups, 195 x 15, 14 trials": lambda: by_group(rng, 195, 15, 14, 0.3),
        "groups, 40 x 50, 20 trials": lambda: by_group(rng, 40, 50, 20, 0.3),
        "AUC, 1,000 rows, 14 trials": lambda: for_auc(rng, 1000, 14),
    }
    for name, make in whole.items():
        n = round(60 * scale)
        hits = sum(min(best_set(make()).p_values.values()) < ALPHA for _ in range(n))
        rows.append({"board": name, "boards": n, "best_set": rate(hits, n)})
    return rows


def unequal_boards(scale: float, rng: np.random.Generator) -> list[dict[str, object]]:
    k, n = 20, round(1000 * scale)
    gaps = {
        "equal": lambda: np.zeros(k),
        "one better by 2": lambda: np.array([0.0] + [2.0] * (k - 1)),
        "half worse by 4": lambda: np.array([0.0] * (k // 2) + [4.0] * (k - k // 2)),
        "spread, SD 3": lambda: np.sort(rng.normal(0, 3, k)),
    }
    rows = []
    for name, make in gaps.items():
        has_best, sizes, found, found_single, far = 0, [], 0, 0, 0
        for _ in range(n):
            worse = make()
            worse -= worse.min()
            values = losses(rng, 500, k, worse=worse)
            is_in = step_down(-values.mean(0), -values) >= ALPHA
            single = leads_over(values) > np.quantile(largest_leads(values).max(0), 1 - ALPHA)
            has_best += is_in[0]
            sizes.append(is_in.sum())
            beyond = worse >= 4
            far += beyond.sum()
            found += (~is_in & beyond).sum()
            found_single += (single & beyond).sum()
        rows.append({"true gaps in SE": name, "boards": n, "has the true best": rate(has_best, n)})
        rows[-1]["mean size"] = f"{np.mean(sizes):.1f}"
        if far:
            rows[-1]["4 SE worse, found"] = f"{found / far:.0%}"
            rows[-1]["by all pairs, one step"] = f"{found_single / far:.0%}"
            rows[-1]["by one test of the two"] = f"{norm.sf(norm.isf(0.025) - 4):.0%} and more"
    return rows


def recipes(scale: float, rng: np.random.Generator) -> list[dict[str, object]]:
    """One run of each recipe, and three repeats: each recipe sees other features, equally good."""
    n, hits = round(50 * scale), {1: 0, 3: 0}
    for _ in range(n):
        x = rng.normal(size=(600, 6, 3))
        y = np.sin(x).sum((1, 2)) + rng.normal(size=600)
        trials = [_fits(x[:, i], y, i, repeat) for repeat in (1, 2, 3) for i in range(6)]
        for repeats in hits:
            hits[repeats] += len(best_set(trials[: 6 * repeats]).names) < 6
    spoken = {1: "fits", 3: "recipes"}
    return [
        {"repeats": r, "of": spoken[r], "boards": n, "one is called worse": rate(hits[r], n)}
        for r in hits
    ]


def _fits(x: np.ndarray, y: np.ndarray, i: int, repeat: int) -> Predictions:
    folds, ids = make_folds(y, n_folds=5, seed=repeat).assignment, np.arange(len(y))
    oof = np.empty((len(y), 1))
    for k in range(5):
        model = DecisionTreeRegressor(max_leaf_nodes=12, max_features=1, random_state=repeat)
        oof[folds == k, 0] = model.fit(x[folds != k], y[folds != k]).predict(x[folds == k])
    name = f"t{i}" + (f" #{repeat}" if repeat > 1 else "")
    facts = name, "mse", "regression", (), ids, y, oof, folds
    return Predictions(*facts, np.empty(0), np.empty((0, 1)))


def corrected(scale: float, rng: np.random.Generator) -> list[dict[str, object]]:
    rows = []
    for like in (LIKE, 0.0):
        for k in (5, 20, 100):
            for name, better in (("equal", 0.0), ("one better by 2", 2.0), ("SD 2", None)):
                n = round((150 if k < 100 else 80) * scale)
                naive, bias, covered = [], [], 0
                for _ in range(n):
                    worse = np.r_[0.0, np.full(k - 1, better or 0.0)]
                    worse = rng.normal(0, 2, k) if better is None else worse
                    found = best_of(as_trials(losses(rng, 300, k, like=like, worse=worse)))
                    truth = 20 + worse[int(found.name[1:])] * np.sqrt(2 * (1 - like) / 300)
                    naive.append((truth - found.score) / found.score_se)
                    bias.append((truth - found.corrected) / found.score_se)
                    covered += found.low <= truth <= found.high
                error = np.std(bias) / np.sqrt(n)
                rows.append(
                    {"trials": k, "correlation": like, "true gaps in SE": name, "boards": n}
                )
                rows[-1] |= {
                    "too good by": f"{np.mean(naive):+.2f}",
                    "corrected": f"{np.mean(bias):+.2f} ± {error:.2f}",
                    "interval covers": rate(covered, n),
                }
    return rows
