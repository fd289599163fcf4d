"""How class labels are written: one spelling for each, and which column of a sample submission belongs to which class."""

from __future__ import annotations

import re
from collections.abc import Sequence
from numbers import Real
from typing import Any


def spelled(value: Any) -> str:
    """Return a label\'s one spelling: 1, 1.0 and "1.0" are the same label."""
    return re.sub(r"^([+-]?\d+)\.0+$", r"\1", str(value).strip())


def written(labels: Sequence[Any]) -> list[Any]:
    """Return labels as they are answered: 1.0 and 2.0, which came from a column with gaps, are 1 and 2; 0.5, 1.0 and 1.5 stay."""
    return (
        [int(v) for v in labels]
        if labels and all(isinstance(v, float) and v.is_integer() for v in labels)
        else list(labels)
    )


def places_in_order(labels: Sequence[Any]) -> list[int]:
    """Return the places of the labels by size and then by spelling: the same labels first whatever order a model has them in."""

    def key(place: int) -> tuple[bool, Any]:
        label = labels[place]
        return (False, label) if isinstance(label, Real) else (True, str(label))

    return sorted(range(len(labels)), key=key)


def columns_of_classes(
    labels: Sequence[Any],
    columns: Sequence[str],  # the answer columns of a sample submission
) -> list[str] | None:
    """Return the column of each label, or None: columns are named like the labels, or so within one prefix and suffix (`Status_C`, `Status_D`)."""
    names, columns = [spelled(v) for v in labels], [str(c) for c in columns]
    if len(set(names)) != len(columns) or len(names) != len(columns):
        return None
    start = _alike(columns) - _alike(names)
    end = _alike([c[::-1] for c in columns]) - _alike([n[::-1] for n in names])
    for cut in (slice(None), slice(max(start, 0), -end if end > 0 else None)):
        found = {spelled(c[cut]): c for c in columns}
        if found.keys() == set(names):
            return [found[n] for n in names]
    return None


def _alike(texts: Sequence[str]) -> int:
    """How many letters all of the texts begin with alike."""
    first, last = min(texts, default=""), max(texts, default="")
    return next(
        (i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b),
        min(len(first), len(last)),
    )
