"""Evidence: whether one trial is better than another, and where a model is wrong."""

from .compare import Comparison, compare
from .top_losses import most_confused, top_losses

__all__ = ["Comparison", "compare", "most_confused", "top_losses"]
