"""Poll Kaggle until something is done or the time is over."""

import math
import time
from collections.abc import Callable
from typing import TypeVar

from ..exceptions import KaggleError, KaggleUnavailable, RateLimited

T = TypeVar("T")


def poll_until(
    read: Callable[[], T],
    is_done: Callable[[T], bool],
    *,
    poll_s: float,  # longest pause between reads
    timeout_s: float = math.inf,
    first_pause_s: float = 0.5,  # later pauses grow up to `poll_s`
    max_reads: float = math.inf,
    ignore: tuple[type[KaggleError], ...] = (KaggleUnavailable, RateLimited),
) -> T:
    """Return what `read` returns once it is done, or its latest result when the time is over.

    A failure in `ignore` is raised only if no read worked before the end: Kaggle works on while
    its status is not available.
    """
    ends, pause, n_reads = time.monotonic() + timeout_s, min(poll_s, first_pause_s), 0
    results: list[T] = []
    while True:
        n_reads += 1
        is_last = time.monotonic() >= ends or n_reads >= max_reads
        try:
            results = [read()]
        except ignore:
            if is_last and not results:
                raise
        if results and (is_last or is_done(results[0])):
            return results[0]
        time.sleep(max(0.0, min(pause, ends - time.monotonic())))
        pause = min(poll_s, pause * 1.5)
