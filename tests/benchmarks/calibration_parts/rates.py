"""Rates with their intervals, and tables as aligned text."""

from collections.abc import Sequence
from typing import Any


def rate(hits: int, n: int) -> str:
    """Return hits / n in percent with its 95% interval, such as "4.8% (3.9 to 5.9)".

    Source: Wilson, Probable inference, the law of succession, and statistical inference (1927).
    """
    from scipy.stats import binomtest

    low, high = binomtest(int(hits), int(n)).proportion_ci(0.95, method="wilson")
    return f"{100 * hits / n:.1f}% ({100 * low:.1f} to {100 * high:.1f})"


def aligned(rows: Sequence[dict[str, Any]]) -> str:
    """Return a table with one line for each row; numbers are right-aligned."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    lines = [[str(row.get(column, "")) for column in columns] for row in rows]
    widths = [max(map(len, column)) for column in zip(columns, *lines, strict=True)]
    is_number = [all(isinstance(row.get(c, 0), int | float) for row in rows) for c in columns]
    aligns = [str.rjust if numeric else str.ljust for numeric in is_number]
    return "\n".join(
        "  ".join(
            align(cell, w) for align, cell, w in zip(aligns, line, widths, strict=True)
        ).rstrip()
        for line in (columns, ["-" * w for w in widths], *lines)
    )
