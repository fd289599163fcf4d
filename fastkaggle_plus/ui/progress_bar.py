"""Progress of long work: a bar in a notebook and in a terminal, and a line now and then in a pipe.

with show_progress("download") as update:
    update(0.5, "12 of 24 MB")

Inner work uses the display of the outer work, so there is one bar at a time.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .displays import Display

Update = Callable[[float, str], None]  # (share done, 0 to 1; position, as in "fold 2/5")

_OPEN: list[Display] = []  # the displays of the work that runs now; the last one is used
_LEAST_SHARE = 0.02  # less says too little about the time left


@contextlib.contextmanager
def open_display(*, to_stderr: bool = True) -> Iterator[Display]:
    """Use the display of the outer work during the block, or a new one."""
    from .displays import new_display

    display = _OPEN[-1] if _OPEN else new_display(to_stderr=to_stderr)
    with _using(display):
        yield display


@contextlib.contextmanager
def no_progress() -> Iterator[None]:
    """Show no progress during the block."""
    from .displays import Display

    with _using(Display()):
        yield


@contextlib.contextmanager
def show_progress(what: str) -> Iterator[Update]:
    """Show a bar during the block, moved by the function that it yields."""
    start = time.monotonic()
    with open_display() as display:

        def update(share: float, position: str) -> None:
            passed = time.monotonic() - start
            left_s = passed * (1 - share) / share if share > _LEAST_SHARE else None
            display.bar(share, f"{what}: {position}" if position else what, left_s)

        yield update


@contextlib.contextmanager
def _using(display: Display) -> Iterator[None]:
    _OPEN.append(display)
    try:
        yield
    finally:
        _OPEN.remove(display)
        display.hide_bar()
