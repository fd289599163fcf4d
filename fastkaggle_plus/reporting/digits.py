"""Write numbers for people: all numbers of a column with the same decimals."""

from collections.abc import Iterable

import numpy as np

_SIGNIFICANT = 4  # digits of the largest number; an accuracy gets 4 decimals
_MOST_DECIMALS = 6


def decimals_for(values: Iterable[float | None]) -> int:
    """Return the decimals that show four digits of the largest of some scores."""
    known = [abs(v) for v in values if v is not None and np.isfinite(v)]
    largest = max(known, default=0) or 1
    return int(np.clip(_SIGNIFICANT - np.ceil(np.log10(largest)), 0, _MOST_DECIMALS))


def score_text(value: float | None, decimals: int, *, sign: bool = False) -> str:
    """Return a score with these decimals and a real minus sign; "" for an unknown score."""
    if value is None or not np.isfinite(value):
        return ""
    if not sign:
        return f"{value:,.{decimals}f}".replace("-", "\N{MINUS SIGN}")
    text = f"{value:+,.{decimals}f}".replace("-", "\N{MINUS SIGN}")
    return text if text.strip("+\N{MINUS SIGN}0.") else text[1:]  # no sign for zero


def p_text(p_value: float) -> str:
    """Return a p-value in three decimals, as in "p = 0.012" or "p < 0.001"."""
    return f"p = {p_value:.3f}" if p_value >= 0.001 else "p < 0.001"


def column_texts(values: Iterable[object]) -> list[str]:
    """Return the cells of a column: numbers with as few equal decimals as they need."""
    cells = list(values)
    numbers = [v for cell in cells if np.isfinite(v := _number(cell))]
    most = decimals_for(numbers)
    places = (d for d in range(most) if np.allclose(numbers, np.round(numbers, d), atol=1e-9))
    decimals = next(places, most)
    return [_cell_text(v, decimals) for v in cells]


def _cell_text(value: object, decimals: int) -> str:
    if isinstance(value, tuple):
        return ", ".join(column_texts(value))
    if np.isfinite(number := _number(value)):
        return f"{number:.{decimals}f}"
    return "" if value is None or value != value else str(value)  # NaN differs from itself


def _number(value: object) -> float:
    """Return a number, NaN for a value of another type."""
    is_number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    return float(value) if is_number else float("nan")  # type: ignore[arg-type]
