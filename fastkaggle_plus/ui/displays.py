"""The places that show lines and a progress bar: a notebook, a terminal, a pipe, or none."""

import sys
import time
from html import escape
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from ..environment import iskaggle
from .records import html_table

_PIPED_WIDTH = 140
_MOST_LINES = 200  # that a notebook keeps
_REDRAW_S = 0.2  # of the bar in a notebook
_LEAST_PAUSE_S, _PAUSE_SHARE = 15.0, 0.1  # between two piped lines; as a share of the time so far


class Display:
    """A place that shows nothing, and the interface of the others."""

    def line(self, text: str, *, ansi: bool = False) -> None:
        """Show a line that stays; `ansi`: it may have the colour codes of a terminal."""

    def row(self, cells: dict[str, str]) -> None:
        """Show one more row of a table that stays."""

    def bar(self, share: float, label: str, left_s: float | None) -> None:
        """Show the share that is done, and the estimated seconds left."""

    def hide_bar(self) -> None:
        """Remove the bar."""


class TextDisplay(Display):
    """Lines on a console: in a terminal with a bar, in a pipe with a line now and then."""

    def __init__(self, out: Console):
        self.out = out
        self.progress: Any = None  # rich's
        self.task: Any = None
        self.start = self.last = time.monotonic()

    def line(self, text: str, *, ansi: bool = False) -> None:
        self.out.print(Text.from_ansi(text) if ansi else text, soft_wrap=True)

    def row(self, cells: dict[str, str]) -> None:
        widths = [max(len(k), 7) for k in cells]
        if cells["epoch"].startswith("1/"):
            self.line("  ".join(k.rjust(w) for k, w in zip(cells, widths, strict=True)))
        self.line("  ".join(v.rjust(w) for v, w in zip(cells.values(), widths, strict=True)))

    def bar(self, share: float, label: str, left_s: float | None) -> None:
        left = "" if left_s is None else f"ETA {clock(left_s)}"
        if not self.out.is_terminal:
            now = time.monotonic()
            if now - self.last >= max(_LEAST_PAUSE_S, _PAUSE_SHARE * (now - self.start)):
                self.last = now
                self.line(f"{label}  {share:.0%} {left}".rstrip())
            return
        if self.progress is None:
            columns = (TextColumn("{task.description}", markup=False), BarColumn())
            percent = TextColumn("{task.percentage:>3.0f}%")
            eta = TextColumn("{task.fields[left]}", markup=False)
            self.progress = Progress(
                *columns, percent, TimeElapsedColumn(), eta, console=self.out, transient=True
            )
            self.progress.start()
            self.task = self.progress.add_task("", total=1.0, left="")
        self.progress.update(self.task, completed=share, description=label, left=left)

    def hide_bar(self) -> None:
        if self.progress is not None:
            self.progress.stop()
        self.progress = None


class NotebookDisplay(Display):
    """One output of a notebook cell, drawn again with each change: lines, a table, the bar."""

    def __init__(self) -> None:
        self.lines, self.rows, self.bar_html = list[str](), list[dict[str, str]](), ""
        self.handle: Any = None
        self.last = 0.0

    def line(self, text: str, *, ansi: bool = False) -> None:
        self.lines = [*self.lines, Text.from_ansi(text).plain if ansi else text][-_MOST_LINES:]
        self._draw()

    def row(self, cells: dict[str, str]) -> None:
        self.rows = [*self.rows, cells][-_MOST_LINES:]
        self._draw()

    def bar(self, share: float, label: str, left_s: float | None) -> None:
        left = "" if left_s is None else f" · ETA {clock(left_s)}"
        style = "width:16em;max-width:100%;vertical-align:middle"
        text = f"{share:.0%} {label}{left}"
        self.bar_html = (
            f'<div><progress value="{share:.4f}" max="1" style="{style}"></progress> '
            f"{escape(text)}</div>"
        )
        if time.monotonic() - self.last >= _REDRAW_S:
            self._draw()

    def hide_bar(self) -> None:
        if self.bar_html:
            self.bar_html = ""
            self._draw()

    def _draw(self) -> None:
        from IPython.display import HTML, display

        self.last = time.monotonic()
        parts = []
        if self.lines:
            style = "margin:0;white-space:pre-wrap;color:inherit;background:none"
            parts.append(f'<pre style="{style}">{escape(chr(10).join(self.lines))}</pre>')
        if self.rows:
            cells = [list(row.values()) for row in self.rows]
            parts.append(html_table(list(self.rows[-1]), cells))
        page = HTML("".join([*parts, self.bar_html]) or " ")
        if self.handle is None:
            self.handle = display(page, display_id=True)
        else:
            self.handle.update(page)


def console(*, to_stderr: bool = False) -> Console:
    """Return a console that prints text unchanged; wide and without colour when piped."""
    # Data may contain [brackets] and :colons:, which rich would interpret.
    plain: dict[str, Any] = dict(stderr=to_stderr, highlight=False, markup=False, emoji=False)
    out = Console(soft_wrap=False, **plain)
    return out if out.is_terminal else Console(width=_PIPED_WIDTH, no_color=True, **plain)


def new_display(*, to_stderr: bool = True) -> Display:
    """Return the display of this process: a notebook, a terminal or a pipe."""
    if not in_notebook():
        return TextDisplay(console(to_stderr=to_stderr))
    if iskaggle == "Batch":  # its log is read as text
        return TextDisplay(Console(file=sys.stdout, force_terminal=False, force_jupyter=False))
    return NotebookDisplay()


def in_notebook() -> bool:
    """Say whether this process is the kernel of a notebook."""
    ipython = sys.modules.get("IPython")
    shell = ipython and ipython.get_ipython()
    return getattr(shell, "kernel", None) is not None


def clock(seconds: float) -> str:
    """Return a duration as h:mm:ss, or m:ss below an hour."""
    minutes, s = divmod(round(seconds), 60)
    hours, m = divmod(minutes, 60)
    return f"{hours}:{m:02}:{s:02}" if hours else f"{m}:{s:02}"
