"""Declared searches: a space of parameters, the trials that are tried in it, and grids."""

from .rounds import run_search
from .space import Range, Search, grid, search_of

__all__ = ["Range", "Search", "grid", "run_search", "search_of"]
