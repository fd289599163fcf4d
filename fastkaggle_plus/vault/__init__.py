"""The experiment store: one sqlite file of runs, and one content-hashed file per Predictions."""

from __future__ import annotations

from .store import Run, Vault, run_key

__all__ = ["Run", "Vault", "run_key"]
