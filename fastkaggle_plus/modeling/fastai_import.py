"""Import fastai where it is needed, without the deprecation notices of its own imports."""

from __future__ import annotations

import warnings
from importlib import import_module
from typing import Any

from ..exceptions import MissingExtra


def import_fastai(
    part: str,  # tabular | vision: the extra that brings it has the same name
) -> Any:
    "Return `fastai.PART.all`. Raises MissingExtra."
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return import_module(f"fastai.{part}.all")
    except ImportError as e:
        raise MissingExtra(e.name or "fastai", part) from e
