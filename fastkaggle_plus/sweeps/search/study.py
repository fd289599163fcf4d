"""The study of a search: it suggests trials, and learns from their results."""

from typing import Any

from ...metrics import Metric
from ..pruning import import_optuna, new_study, running_means
from ..trial import Trial, TrialResult
from .space import Range, Search

_ATTEMPTS = 10  # suggestions for each new trial; a small space may have no other


class Study:
    """Asks optuna for the next trials, and gives it their results: ask, run, add, ask, ..."""

    def __init__(self, search: Search, metric: Metric):
        self.search, optuna = search, import_optuna()
        samplers = {"tpe": optuna.samplers.TPESampler, "random": optuna.samplers.RandomSampler}
        self.study = new_study(metric, sampler=samplers[search.sampler](seed=search.seed))
        self.states, kinds = optuna.trial.TrialState, optuna.distributions
        self.space = {name: _distribution(values, kinds) for name, values in search.space.items()}
        self.results: dict[str, TrialResult] = {}  # by the name of the trial
        self.waiting: dict[
            str, list[Any]
        ] = {}  # name of a trial -> optuna's trials, without result

    def ask(self, n: int) -> tuple[Trial, ...]:
        """Return the next n trials; fewer if the space has no more."""
        trials = dict[str, Trial]()
        for _ in range(_ATTEMPTS * n):
            if len(trials) == n:
                break
            suggested = self.study.ask(self.space)
            trial = self.search.point(self._values(suggested.params))
            if trial.name in self.results:
                self._tell(suggested, self.results[trial.name])
                continue
            trials[trial.name] = trial
            self.waiting.setdefault(trial.name, []).append(suggested)
        return tuple(trials.values())

    def add(self, result: TrialResult) -> None:
        """Learn from the result of a trial: finished, pruned or failed."""
        self.results[result.name] = result
        for suggested in self.waiting.pop(result.name):
            self._tell(suggested, result)

    def _tell(self, suggested: Any, result: TrialResult) -> None:
        if result.predictions is not None:
            self.study.tell(suggested, result.predictions.oof_score)
        elif result.is_pruned:
            for step, mean in running_means(result.fold_scores):
                suggested.report(mean, step)
            self.study.tell(suggested, state=self.states.PRUNED)
        else:
            self.study.tell(suggested, state=self.states.FAIL)

    def _values(self, suggested: dict[str, Any]) -> dict[str, Any]:
        """Return the values of the parameters, in the order of the space."""
        found = {}
        for name, values in self.search.space.items():
            at = suggested[name]
            found[name] = values.rounded(at) if isinstance(values, Range) else values[at]
        return found


def _distribution(values: Range | list[Any], kinds: Any) -> Any:
    """Return optuna's record of the values of a parameter; a choice is the number of its value."""
    if not isinstance(values, Range):
        return kinds.CategoricalDistribution(range(len(values)))
    kind = kinds.IntDistribution if values.is_whole else kinds.FloatDistribution
    return kind(values.low, values.high, log=values.log)
