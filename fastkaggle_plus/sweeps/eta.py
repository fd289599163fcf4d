"""How long a sweep will still take, from the share done of the trials that run and the time of those that ended."""

from __future__ import annotations

import time
from collections.abc import Callable

_TELLING = 0.02  # a smaller share says nothing about the whole


class Pace:
    "Hears the trials of a sweep start, go on and end."

    def __init__(self, total: int, *, clock: Callable[[], float] = time.monotonic):
        self.waiting, self.clock = total, clock
        self.started: dict[str, float] = {}
        self.shares: dict[str, float] = {}
        self.took: list[float] = []

    @property
    def done(self) -> float:
        "How many trials the running ones come to, by their shares."
        return sum(self.shares.get(name, 0.0) for name in self.started)

    def starts(self, name: str) -> None:
        "A trial starts."
        self.waiting -= 1
        self.started[name] = self.clock()

    def goes_on(self, name: str, share: float) -> None:
        "So much of a trial is done."
        self.shares[name] = share

    def ends(self, name: str) -> None:
        "A trial ended, or did not have to run."
        if (start := self.started.pop(name, None)) is None:
            self.waiting -= 1
        else:
            self.took.append(self.clock() - start)

    @property
    def left_s(self) -> float | None:
        "Seconds to the end; None while nothing tells. Trials that wait are taken to last as long as the others, and to run as many at once as now."
        now = self.clock()
        whole = {
            name: (now - start) / self.shares[name]
            for name, start in self.started.items()
            if self.shares.get(name, 0.0) > _TELLING
        }
        if not (known := [*self.took, *whole.values()]):
            return None
        typical = sum(known) / len(known)
        left = [
            max(whole.get(name, typical) - (now - start), 0.0)
            for name, start in self.started.items()
        ]
        return max([(sum(left) + self.waiting * typical) / max(len(left), 1), *left])
