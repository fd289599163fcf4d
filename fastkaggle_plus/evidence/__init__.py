"""Evidence, not luck: what a difference between two trials is worth."""

from __future__ import annotations

from .compare import Comparison, compare

__all__ = ["Comparison", "compare"]
