"""A local twin of Kaggle: unmodified clients download from it, submit to it and read its leaderboard, with no account and no network."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ..exceptions import MissingExtra

if TYPE_CHECKING:
    from .holdout import rehearse
    from .kernels.quota import Limits
    from .server import Sandbox, running, serve

__all__ = ["Limits", "Sandbox", "answered_by_file", "rehearse", "running", "serve"]

_HOME = {"Limits": "kernels.quota", "Sandbox": "server", "answered_by_file": "hidden_rows", "rehearse": "holdout", "running": "server", "serve": "server"}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(f".{_HOME[name]}", __name__), name)
    except ModuleNotFoundError as e:
        if e.name in ("starlette", "uvicorn"):
            raise MissingExtra(e.name, "sandbox") from e
        raise
