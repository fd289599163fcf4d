"""Print tables for people, and JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from ..ui.displays import console

_NOTHING = dict.fromkeys(("public", "private", "score"), "none")


def show_table(
    header: Sequence[str],
    cells: Sequence[Sequence[object]],
    *,
    numbers: Sequence[int] = (),  # columns to align right
    whole: Sequence[int] = (),  # columns that are not broken where the terminal is narrow
    out: Console | None = None,
) -> None:
    """Show a table."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for i, name in enumerate(header):
        side: Any = "right" if i in numbers else "left"
        table.add_column(name, justify=side, overflow="fold", no_wrap=i in whole)
    for row in cells:
        table.add_row(*[str(c) for c in row])
    (out or console()).print(table)


def show_json(value: Any, *, one_line: bool = False) -> None:
    """Print one JSON value to stdout."""
    sys.stdout.write(json.dumps(value, indent=None if one_line else 2, default=str) + "\n")


def show_submissions(rows: Sequence[Any], *, cv: Mapping[int, str] | None = None) -> None:
    """Show submissions with their status and scores; `cv` has the CV scores that are known."""
    header = ["ref", "date", "file", "status", "CV score", "public", "private", "description"]
    if not cv:
        header.remove("CV score")
    records = [{**row.as_row(), "CV score": (cv or {}).get(row.ref, "")} for row in rows]
    show_table(header, [[r[h] or _NOTHING.get(h, "") for h in header] for r in records])


def show_leaderboard(rows: Sequence[Any]) -> None:
    """Show a leaderboard."""
    cells = [[c or _NOTHING.get(h, c) for h, c in row.as_row().items()] for row in rows]
    show_table(["rank", "team", "score", "date"], cells)


def show_inferred(rows: Sequence[tuple[str, Any, str]]) -> None:
    """Show the settings that were inferred from a competition's files, and why."""

    def words(value: Any) -> str:
        if isinstance(value, Mapping):
            return " ".join(words(v) for v in value.values() if v)
        return ", ".join(value) if isinstance(value, list) else str(value)

    if rows:
        show_table(["setting", "inferred", "why"], [(k, words(v), why) for k, v, why in rows])
