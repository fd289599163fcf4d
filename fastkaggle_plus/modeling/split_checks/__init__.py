"""Checks of a split against the data: leaks, copies, shifts, and columns that no model can use."""

from .check_split import check_split
from .copies import copy_groups
from .split_finding import Finding, split_advice

__all__ = ["Finding", "check_split", "copy_groups", "split_advice"]
