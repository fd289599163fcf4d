"""The study of a search: it suggests trials, and learns from their results."""

from typing import Any

from ...metrics import Metric
from ..pruning import import_optuna, new_study, running_means
from ..trial import Trial, TrialResult
from .space import Range, Search


class Study:
    """Asks optuna for the next trials, and gives it their results: ask, run, tell, ask, ..."""

    def __init__(self, search: Search, metric: Metric):
        self.search, self.optuna = search, import_optuna()
        samplers = self.optuna.samplers
        if search.sampler == "tpe":
            sampler = samplers.TPESampler(seed=search.seed)
        else:
            sampler = samplers.RandomSampler(seed=search.seed)
        self.study = new_study(metric, sampler=sampler)
        self.space = {name: self._distribution(v) for name, v in search.space.items()}
        self.asked: dict[str, list[Any]] = {}  # name of a trial -> optuna's trials with its values

    def ask(self, n: int) -> tuple[Trial, ...]:
        """Return the next trials: n, or fewer if the same is suggested twice."""
        trials = dict[str, Trial]()
        for _ in range(n):
            suggested = self.study.ask(self.space)
            trial = self.search.point(self._values(suggested.params))
            trials[trial.name] = trial
            self.asked.setdefault(trial.name, []).append(suggested)
        return tuple(trials.values())

    def tell(self, result: TrialResult) -> None:
        """Take the result of a trial that was asked for: finished, pruned or failed."""
        states = self.optuna.trial.TrialState
        for suggested in self.asked.pop(result.name):
            if result.predictions is not None:
                self.study.tell(suggested, result.predictions.oof_score)
            elif result.is_pruned:
                for step, mean in running_means(result.fold_scores):
                    suggested.report(mean, step)
                self.study.tell(suggested, state=states.PRUNED)
            else:
                self.study.tell(suggested, state=states.FAIL)

    def _distribution(self, values: Any) -> Any:
        of = self.optuna.distributions
        if not isinstance(values, Range):
            return of.CategoricalDistribution(range(len(values)))  # any plain data may be a value
        if values.is_whole:
            return of.IntDistribution(values.low, values.high, log=values.log)
        return of.FloatDistribution(values.low, values.high, log=values.log)

    def _values(self, suggested: dict[str, Any]) -> dict[str, Any]:
        """Return the values of the parameters, in the order of the space."""
        found = {}
        for name, values in self.search.space.items():
            at = suggested[name]
            found[name] = values.rounded(at) if isinstance(values, Range) else values[at]
        return found
