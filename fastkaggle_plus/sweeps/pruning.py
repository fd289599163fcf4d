"""Stop a trial after a fold if it looks worse than the earlier trials of its search."""

import math
from collections.abc import Sequence
from typing import Any

from ..exceptions import needs_extra
from ..metrics import Metric

_PERCENTILE = 10.0  # best percent of the finished trials; measured in tests/benchmarks/search.py

FoldScores = Sequence[float]  # of the folds that ran, in their order


class Pruned(Exception):
    """A trial is stopped: it looks worse than earlier ones."""

    def __init__(self, fold_scores: FoldScores):
        super().__init__(after_folds(fold_scores))
        self.fold_scores = list(fold_scores)


class FoldPruner:
    """Called with the score of each fold; raises Pruned when optuna says to stop.

    A trial continues while the mean of its folds is among the best tenth of the means that the
    finished trials had after as many folds. A snapshot of their scores is enough for this, so it
    needs no connection to other trials.
    """

    def __init__(self, earlier: Sequence[FoldScores], *, metric: Metric, n_folds: int):
        optuna = import_optuna()
        pruner = optuna.pruners.PercentilePruner(_PERCENTILE, n_startup_trials=1)
        self.study = new_study(metric, pruner=pruner)
        for scores in earlier:
            means = dict(running_means(scores))
            if n_folds in means:
                finished = optuna.create_trial(value=means[n_folds], intermediate_values=means)
                self.study.add_trial(finished)
        self.n_folds, self.scores = n_folds, list[float]()

    def __call__(self, fold: int, score: float) -> None:
        self.scores.append(score)
        mean, step = sum(self.scores) / len(self.scores), fold + 1
        if math.isnan(mean) or step == self.n_folds:
            return
        trial = self.study.ask()  # a new one each time: optuna compares a trial's best mean so far
        trial.report(mean, step)
        if trial.should_prune():
            raise Pruned(self.scores)


def running_means(scores: FoldScores) -> list[tuple[int, float]]:
    """Return (number of folds, mean score of these folds); a fold without a score adds none."""
    means = [(k, sum(scores[:k]) / k) for k in range(1, len(scores) + 1)]
    return [(k, mean) for k, mean in means if not math.isnan(mean)]


def after_folds(scores: FoldScores) -> str:
    """Return how a trial was pruned, in a phrase."""
    n = len(scores)
    folds = "1 fold" if n == 1 else f"{n} folds"
    return f"pruned after {folds}: {sum(scores) / n:.4f}"


def import_optuna() -> Any:
    """Return the library of the extra `search`. Raises MissingExtra."""
    with needs_extra("search"):
        import optuna
    return optuna


def new_study(metric: Metric, **how: Any) -> Any:
    """Return a study of optuna in memory, for a metric, without a line in the log."""
    optuna = import_optuna()
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        direction = "maximize" if metric.higher_is_better else "minimize"
        return optuna.create_study(direction=direction, **how)
    finally:
        optuna.logging.set_verbosity(level)
