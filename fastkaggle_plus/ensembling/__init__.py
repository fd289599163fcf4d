"""Average predictions by id and class, with a score that is nested where weights are fitted."""

from .combine import METHODS, ensemble, write_lock
from .weights import fitted_metric

__all__ = ["METHODS", "ensemble", "fitted_metric", "write_lock"]
