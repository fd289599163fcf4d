"""Stop a trial after a fold if it looks worse than the earlier trials of its search."""

import math
from collections.abc import Sequence
from typing import Any

from ..exceptions import needs_extra
from ..metrics import Metric

_KEPT = 3  # of three trials, one goes on after the first fold, and of three of these, after the 3rd

FoldScores = Sequence[float]  # of the folds that ran, in their order


class Pruned(Exception):
    """A trial is stopped: it looks worse than earlier ones."""

    def __init__(self, fold_scores: FoldScores):
        super().__init__(after_folds(fold_scores))
        self.fold_scores = list(fold_scores)


class FoldPruner:
    """Called with the score of each fold; raises Pruned when optuna says to stop.

    Successive halving: a trial goes on while the mean of its folds is in the best third. It needs
    no connection to other trials, as a snapshot of their scores is enough. Source: Li et al.,
    A system for massively parallel hyperparameter tuning (2020).
    """

    def __init__(self, earlier: Sequence[FoldScores], *, metric: Metric, n_folds: int):
        optuna = import_optuna()
        pruner = optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=_KEPT)
        study = new_study(metric, pruner=pruner, sampler=optuna.samplers.RandomSampler(seed=0))
        for scores in earlier:
            other = study.ask()
            for step, mean in running_means(scores):
                other.report(mean, step)
                other.should_prune()  # the pruner notes the mean; the answer is known
        self.trial, self.n_folds, self.scores = study.ask(), n_folds, list[float]()

    def __call__(self, fold: int, score: float) -> None:
        self.scores.append(score)
        mean, step = sum(self.scores) / len(self.scores), fold + 1
        if math.isnan(mean) or step == self.n_folds:
            return
        self.trial.report(mean, step)
        if self.trial.should_prune():
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
