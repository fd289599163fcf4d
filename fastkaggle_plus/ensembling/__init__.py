"""Average predictions by id and class, with a score that is nested where weights are fitted."""

from .combine import METHODS, ensemble
from .error_correlation import error_correlation
from .lock import read_lock, rebuild, write_lock
from .pool import fitted_metric

__all__ = [
    "METHODS",
    "ensemble",
    "error_correlation",
    "fitted_metric",
    "read_lock",
    "rebuild",
    "write_lock",
]
