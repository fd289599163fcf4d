"""Makers of small records that several tests need."""

import numpy as np

from fastkaggle_plus.predictions import Predictions


def make_predictions(
    name="model", *, n=200, right=0.8, seed=0, metric="accuracy", n_test=20, vocab=(0, 1), folds=5
) -> Predictions:
    """Predictions of classes that are right on a share of the rows.

    The rows and their targets depend on `n` alone.
    """
    rng, truth = np.random.default_rng(seed), np.random.default_rng(99).integers(0, len(vocab), n)
    guess = np.where(rng.random(n) < right, truth, (truth + 1) % len(vocab))
    oof = np.full((n, len(vocab)), 0.3 / (len(vocab) - 1))
    oof[np.arange(n), guess] = 0.7
    test = rng.dirichlet(np.ones(len(vocab)), n_test)
    return Predictions(
        name,
        metric,
        "binary" if len(vocab) == 2 else "multiclass",
        tuple(vocab),
        np.arange(n),
        truth,
        oof,
        np.arange(n) % folds,
        np.arange(1000, 1000 + n_test),
        test,
    )


def make_values(name="model", *, n=200, noise=0.5, seed=0, metric="rmse", n_test=20) -> Predictions:
    """Predictions of values with some noise."""
    rng, truth = np.random.default_rng(seed), np.random.default_rng(99).normal(5, 2, n)
    return Predictions(
        name,
        metric,
        "regression",
        (),
        np.arange(n),
        truth,
        (truth + rng.normal(0, noise, n))[:, None],
        np.arange(n) % 5,
        np.arange(1000, 1000 + n_test),
        rng.normal(5, 2, (n_test, 1)),
    )
