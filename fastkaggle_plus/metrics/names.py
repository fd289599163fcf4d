"""Metrics by name. A name means one thing; a word with several meanings is refused."""

import re

from ..exceptions import ConfigError, UnknownName
from .label_metrics import LABEL_METRICS
from .metric import TASKS, Metric
from .probability_metrics import PROBABILITY_METRICS
from .ranking_metrics import RANKING_METRICS, ranking_metric
from .value_metrics import VALUE_METRICS

METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (*LABEL_METRICS, *PROBABILITY_METRICS, *VALUE_METRICS, *RANKING_METRICS)
}

ALIASES = {  # other names of the same metric
    "average_precision": "ap",
    "f1_score": "f1",
    "logloss": "log_loss",
    "matthews_corrcoef": "mcc",
    "mcrmse": "mean_columnwise_rmse",
    "mean_absolute_error": "mae",
    "mean_squared_error": "mse",
    "quadratic_weighted_kappa": "quadratic_kappa",
    "qwk": "quadratic_kappa",
    "roc_auc": "auc",
    "roc_auc_score": "auc",
}

_RANKINGS = tuple(metric.name for metric in RANKING_METRICS)
_AMBIGUOUS = {  # word -> the metrics that people call so
    "correlation": ("pearson", "spearman", "mcc"),
    "error": ("error_rate", "mae", "rmse"),
    "kappa": ("cohen_kappa", "quadratic_kappa"),
    "map": ("map@3", "map@5", "mape", "ap"),
    "map@k": _RANKINGS[:3],
    "ndcg": _RANKINGS[3:],
    "ndcg@k": _RANKINGS[3:],
    "pr_auc": ("ap",),  # its trapezoids are another number
    "weighted_log_loss": ("balanced_log_loss", "log_loss"),
}
_INSTEAD = {  # metric of one task -> its relatives for the other tasks
    "auc": ("auc_ovr", "auc_ovo"),
    "f1": ("f1_macro", "f1_micro", "f1_weighted"),
    "gini": ("gini_values",),
}


def get_metric(name: str | Metric, *, task: str = "") -> Metric:
    """Return a metric by name, `map@k` and `ndcg@k` for any k; a Metric is returned as it is.

    Raises UnknownName with near matches, and ConfigError with the choices for a word with several
    meanings, or for a metric that does not score predictions of `task`.
    """
    metric = name if isinstance(name, Metric) else _find(str(name))
    if task and not metric.fits(task):
        fitting = [m.name for m in METRICS.values() if m.fits(task)]
        related = [name for name in fitting if name in _INSTEAD.get(metric.name, ())]
        wants = " or `wants`" if metric.name.endswith(".py") else ""
        raise ConfigError(
            f'The metric {metric.name!r} does not fit task = "{task}": it is for '
            f"{' and '.join(metric.tasks or TASKS[metric.wants])}. "
            f"Correct the task{wants}, or use one of: {', '.join(related or fitting)}."
        )
    return metric


def _find(name: str) -> Metric:
    known = ALIASES.get(name, name)
    if known in METRICS:
        return METRICS[known]
    if ranking := re.fullmatch(r"(map|ndcg)@([1-9]\d*)", known):
        return ranking_metric(ranking[1], int(ranking[2]))
    if known in _AMBIGUOUS:
        raise ConfigError(
            f"The metric {name!r} has several meanings. Use one of: {', '.join(_AMBIGUOUS[known])}."
        )
    if known.endswith(".py"):
        raise ConfigError(
            f"The metric {name!r} is a file: only a competition with that file in its folder has "
            "it. For stored predictions, use Vault(..., scoring=load_comp(SLUG).scoring), or "
            "preds.scored_by(load_comp(SLUG).scoring)."
        )
    hint = 'For a metric of your own, write metric.py, and metric = "metric.py".'
    raise UnknownName("metric", name, METRICS, hint)
