"""Evidence: whether one trial is better than another, and where a model is wrong."""

from .compare import Comparison, compare
from .top_losses import most_confused, top_losses
from .winner import Winner, winner

__all__ = ["Comparison", "Winner", "compare", "most_confused", "top_losses", "winner"]
