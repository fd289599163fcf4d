"""Class labels: their spelling, their order, and the submission column of each class."""

import os
import re
from collections.abc import Sequence
from numbers import Real
from typing import Any


def spelled(value: Any) -> str:
    """Return a label's spelling: 1, 1.0 and "1.0" are the same label."""
    return re.sub(r"^([+-]?\d+)\.0+$", r"\1", str(value).strip())


def written(labels: Sequence[Any]) -> list[Any]:
    """Return labels as a submission has them: 1 and 2 for 1.0 and 2.0, from a column with gaps."""
    are_whole = all(isinstance(v, float) and v.is_integer() for v in labels)
    return [int(v) for v in labels] if are_whole else list(labels)


def places_in_order(labels: Sequence[Any]) -> list[int]:
    """Return the positions of the labels by size and then by spelling."""
    keys = [(False, v) if isinstance(v, Real) else (True, str(v)) for v in labels]
    return sorted(range(len(labels)), key=keys.__getitem__)


def columns_of_classes(
    labels: Sequence[Any],
    columns: Sequence[str],  # the answer columns of a sample submission
) -> list[str] | None:
    """Return the column of each label, None if they do not match.

    Columns have the names of labels, with one prefix and suffix for all: `Status_C`, `Status_D`.
    """
    names, columns = [spelled(v) for v in labels], [str(c) for c in columns]
    if len(set(names)) != len(columns) or len(names) != len(columns):
        return None
    start = _common_start(columns) - _common_start(names)
    end = _common_start([c[::-1] for c in columns]) - _common_start([n[::-1] for n in names])
    for cut in (slice(None), slice(max(start, 0), -end if end > 0 else None)):
        found = {spelled(c[cut]): c for c in columns}
        if found.keys() == set(names):
            return [found[n] for n in names]
    return None


def _common_start(texts: list[str]) -> int:
    return len(os.path.commonprefix(texts))  # noqa: RUF071 (of letters, not of folders)
