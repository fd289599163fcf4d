"""Simulated competitions with real models: cross-validated, sent, scored in public and private.

Ridge regressions on random subsets of the features, some with squares, predict a value or a class.
The test rows get the mean of the folds' models. So the simulation has what the model of the
leaderboard leaves out: few rows, correlated recipes, and averages of fold models.
"""

from dataclasses import replace

import numpy as np

from fastkaggle_plus.evidence.gap import Rows, Scores
from fastkaggle_plus.predictions import Predictions

N_FEATURES = 24


def competition(
    rng: np.random.Generator,
    metric: str,
    *,
    n: int = 400,
    n_public: int = 150,
    n_private: int = 350,
    n_models: int = 12,
    shift: float = 0.0,  # of the coefficients between train and test, in their own SDs
) -> tuple[list[Scores], Rows]:
    """Return the scores of every model, private ones too, and the number of rows of each part."""
    weights = rng.normal(size=N_FEATURES) * rng.exponential(size=N_FEATURES)
    curved = rng.normal(size=N_FEATURES) * (rng.random(N_FEATURES) < 0.3)
    test_weights = weights + shift * np.abs(weights).mean() * rng.normal(size=N_FEATURES)
    sizes = (n, n_public, n_private)
    x = [rng.normal(size=(rows, N_FEATURES)) for rows in sizes]
    y = [
        part @ w + (part**2 - 1) @ curved + rng.normal(scale=3, size=len(part))
        for part, w in zip(x, (weights, test_weights, test_weights), strict=True)
    ]
    is_class = metric != "rmse"
    targs = [(part > 0).astype(int) for part in y] if is_class else y
    folds = rng.permutation(np.arange(n) % 5)
    made = []
    for i in range(n_models):
        oof, answers = _ridge(rng, x, y[0] if not is_class else 2.0 * targs[0] - 1, folds)
        if is_class:
            oof, answers = _probabilities(oof), [_probabilities(a) for a in answers]
        else:
            oof, answers = oof[:, None], [a[:, None] for a in answers]
        task = "binary" if is_class else "regression"
        none = np.zeros(0, dtype=int), np.zeros((0, oof.shape[1]))
        vocab = (0, 1) if is_class else ()
        preds = Predictions(
            f"model {i}", metric, task, vocab, np.arange(n), targs[0], oof, folds, *none
        )
        public, private = (
            preds.scoring.score(t, a) for t, a in zip(targs[1:], answers, strict=True)
        )
        scores = (preds.oof_score, preds.oof_score_se, public, private)
        made.append(Scores(preds.name, *scores, preds.pseudo_values, "same", i + 1))
    return made, Rows(*sizes, higher_is_better=preds.scoring.higher_is_better)


def before_the_end(submissions: list[Scores]) -> list[Scores]:
    """Return the submissions without their private scores."""
    return [replace(s, private=None) for s in submissions]


def _ridge(rng, x, y, folds):
    """Return out-of-fold values, and those of both test parts, of one random recipe."""
    used = rng.permutation(N_FEATURES)[: rng.integers(6, N_FEATURES + 1)]
    with_squares, strength = rng.random() < 0.5, 10 ** rng.uniform(-1, 3)

    def features(part):
        part = part[:, used]
        return np.hstack([part, part**2 - 1]) if with_squares else part

    parts = [features(part) for part in x]
    oof, answers = np.zeros(len(y)), [np.zeros(len(part)) for part in parts[1:]]
    for k in range(5):
        fit = parts[0][folds != k]
        left = fit.T @ fit + strength * np.eye(fit.shape[1])
        w = np.linalg.solve(left, fit.T @ y[folds != k])
        oof[folds == k] = parts[0][folds == k] @ w
        answers = [a + part @ w / 5 for a, part in zip(answers, parts[1:], strict=True)]
    return oof, answers


def _probabilities(values):
    p = 1 / (1 + np.exp(-2 * np.clip(values, -4, 4)))
    return np.stack([1 - p, p], 1)
