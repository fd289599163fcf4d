"""Short texts and HTML tables of records, for a prompt and for the last line of a notebook cell."""

import re
from collections.abc import Mapping, Sequence
from html import escape
from itertools import zip_longest
from typing import Any, Generic, TypeVar

_MOST_CHARS, _MOST_ROWS = 240, 60  # of a cell, of a table
_NUMBER = re.compile(r"[±+-]? ?\d[\d.,:e-]*( s)?|")
# the line is visible on white and on black
_CELL = "vertical-align:top;padding:3px 10px;border-bottom:1px solid rgba(128,128,128,.35)"
_ONE_LINE = ";white-space:nowrap"


class Shown:
    """A record that a prompt shows in a few lines, and a notebook as a table.

    A dataclass needs repr=False: its own repr prints whole arrays.
    """

    def _facts(self) -> dict[str, object]:
        """Return what to show, by name. None and "" are left out."""
        raise NotImplementedError

    def _table_facts(self) -> list[tuple[str, str]]:
        return [(k, str(v)) for k, v in self._facts().items() if v is not None and v != ""]

    def __repr__(self) -> str:
        facts = self._table_facts()
        width = max((len(k) for k, _ in facts), default=0)
        lines = [f"  {k:<{width}}  {_shortened(v)}" for k, v in facts]
        return "\n".join([type(self).__name__, *lines])

    def _repr_html_(self) -> str:
        return html_table([type(self).__name__, ""], self._table_facts())


class Row:
    """A record that is a row of a table."""

    def as_row(self) -> dict[str, object]:
        """Return the cells of the row by column."""
        raise NotImplementedError


T = TypeVar("T", bound=Row)


class Records(list[T], Generic[T]):
    """A list of records that is shown as a table."""

    def _table(self) -> tuple[list[str], list[list[str]]]:
        rows = [{k: str(v) for k, v in record.as_row().items()} for record in self[:_MOST_ROWS]]
        header = list(rows[0]) if rows else []
        filled = [k for k in header if any(row[k] for row in rows)]  # no empty columns
        return filled, [[row[k] for k in filled] for row in rows]

    def __repr__(self) -> str:
        return text_table(*self._table()) + self._rest() if self else "no rows"

    def _repr_html_(self) -> str:
        return html_table(*self._table()) + self._rest() if self else "no rows"

    def _rest(self) -> str:
        return f"\nand {len(self) - _MOST_ROWS} more" if len(self) > _MOST_ROWS else ""


def html_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return an HTML table in the colours of its page; it scrolls if the page is narrow."""
    columns = list(zip_longest(*rows, fillvalue=""))
    sides = ["right" if all(map(_NUMBER.fullmatch, column)) else "left" for column in columns]

    def line(tag: str, cells: Sequence[str]) -> str:
        made = (
            f'<{tag} style="text-align:{side};{_CELL}{_ONE_LINE * (side == "right")}">'
            f"{escape(_shortened(cell))}</{tag}>"
            for cell, side in zip(cells, sides or ["left"] * len(cells), strict=True)
        )
        return f"<tr>{''.join(made)}</tr>"

    style = "border-collapse:collapse;font-variant-numeric:tabular-nums;color:inherit"
    body = "".join(line("td", row) for row in rows)
    return (
        f'<div style="overflow-x:auto"><table class="dataframe" style="{style}">'
        f"<thead>{line('th', header)}</thead><tbody>{body}</tbody></table></div>"
    )


def text_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table of plain text."""
    lines = [[_shortened(cell) for cell in row] for row in (header, *rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    is_number = [all(map(_NUMBER.fullmatch, c)) for c in zip(*rows, strict=True)] or [False]
    aligned = (
        "  ".join(
            cell.rjust(w) if right else cell.ljust(w)
            for cell, w, right in zip(line, widths, is_number, strict=True)
        ).rstrip()
        for line in lines
    )
    return "\n".join(aligned)


def shown_score(score: float | None, digits: int = 4) -> str:
    """Return a score with its digits; "" for None."""
    return "" if score is None else f"{score:.{digits}f}"


def joined(facts: Mapping[str, Any] | Sequence[Any], most: int = 8) -> str:
    """Return the first names, or name = value pairs, separated by commas."""
    parts = [f"{k} = {v}" for k, v in facts.items()] if isinstance(facts, Mapping) else facts
    rest = f", and {len(parts) - most} more" if len(parts) > most else ""
    return ", ".join(map(str, parts[:most])) + rest


def _shortened(text: str) -> str:
    one_line = " ".join(text.split())
    return one_line if len(one_line) <= _MOST_CHARS else one_line[: _MOST_CHARS - 1] + "…"
