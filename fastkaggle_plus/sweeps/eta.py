"""Estimate the time left of a sweep from the progress and the duration of its trials."""

import time
from collections.abc import Callable

_LEAST_SHARE = 0.02  # a trial that did less says too little about its duration


class Eta:
    """Keeps the progress of each trial of a sweep, and estimates the time left."""

    def __init__(self, n_trials: int, *, clock: Callable[[], float] = time.monotonic):
        self.n_waiting, self.clock = n_trials, clock
        self.started: dict[str, float] = {}  # running trial -> its start
        self.shares: dict[str, float] = {}  # trial -> share done
        self.durations: list[float] = []  # of the trials that ended

    def start(self, name: str) -> None:
        """A trial starts."""
        self.n_waiting -= 1
        self.started[name] = self.clock()

    def update(self, name: str, share: float) -> None:
        """A trial reports the share of its work that is done, from 0 to 1."""
        self.shares[name] = share

    def end(self, name: str) -> None:
        """A trial ended, or did not need to run."""
        if (start := self.started.pop(name, None)) is None:
            self.n_waiting -= 1
        else:
            self.durations.append(self.clock() - start)

    @property
    def done(self) -> float:
        """The shares of the running trials, added up: 0.5 is half a trial."""
        return sum(self.shares.get(name, 0.0) for name in self.started)

    @property
    def left_s(self) -> float | None:
        """Seconds to the end of the sweep; None while there is too little to estimate it.

        Assumes that waiting trials take as long as the others, as many in parallel as now.
        """
        now, expected = self.clock(), {}
        for name, start in self.started.items():
            if (share := self.shares.get(name, 0.0)) > _LEAST_SHARE:
                expected[name] = (now - start) / share
        known = [*self.durations, *expected.values()]
        if not known:
            return None
        typical = sum(known) / len(known)
        left = [
            max(expected.get(name, typical) - (now - start), 0.0)
            for name, start in self.started.items()
        ]
        return max([(sum(left) + self.n_waiting * typical) / max(len(left), 1), *left])
