"""Metrics by name: each is one entry in the file of its kind. Own ones are read from a file."""

from .jackknife import pseudo_values, standard_error
from .mask_metrics import dice, iou
from .metric import Metric
from .names import ALIASES, METRICS, get_metric
from .own_metric import own_metric
from .probability_metrics import weighted_log_loss
from .ranking_metrics import average_precisions

__all__ = [
    "ALIASES",
    "METRICS",
    "Metric",
    "average_precisions",
    "dice",
    "get_metric",
    "iou",
    "own_metric",
    "pseudo_values",
    "standard_error",
    "weighted_log_loss",
]
