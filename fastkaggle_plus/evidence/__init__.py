"""Evidence: whether one trial is better than another, and where a model is wrong."""

from .best_set import BestSet, best_set
from .compare import Comparison, compare
from .recipes import RecipeComparison, compare_recipes
from .top_losses import most_confused, top_losses
from .winner import Winner, best_of

__all__ = [
    "BestSet",
    "Comparison",
    "RecipeComparison",
    "Winner",
    "best_of",
    "best_set",
    "compare",
    "compare_recipes",
    "most_confused",
    "top_losses",
]
