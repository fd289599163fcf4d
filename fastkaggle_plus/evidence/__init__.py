"""Evidence: whether one trial is better than another, and where a model is wrong."""

from .compare import Comparison, compare
from .top_losses import most_confused, top_losses
from .winner import Winner, best_of

__all__ = ["Comparison", "Winner", "best_of", "compare", "most_confused", "top_losses"]
