"""The trials of a sweep that wait for a kernel, or run in one."""

from collections import Counter

from ..execution import SweepExecution, TrialTask
from .collect import Seen
from .forecast import Forecast
from .in_kernel import DEADLINE
from .packing import Load, Machine, pack_within

_MOST_AGAIN = 2  # times that a trial is sent again after its kernel ended before it did


class TrialQueue:
    """The trials of one sweep. Each waits, runs in a kernel, and has a result in the end."""

    def __init__(self, execution: SweepExecution):
        self.execution = execution
        self.trials = {trial.name: trial for trial in execution.sweep.trials}
        self.expected: dict[str, float] = {}  # trial -> seconds
        self.slowdown = 1.0  # how many times longer trials took
        self.waiting: list[str] = []  # names, in the declared order
        self.tasks: dict[str, TrialTask] = {}  # of trials that started and have no result
        self.n_lost: Counter[str] = Counter()  # kernels that ended before a trial did

    def expect(self, forecasts: dict[str, Forecast], running: set[str], machine: Machine) -> None:
        """Let the pending trials wait, except those that run in the kernels of an earlier call."""
        self.expected = {name: forecast.seconds for name, forecast in forecasts.items()}
        for name, seconds in self.expected.items():
            if name in running:
                self.start(name)
            elif seconds > machine.room_s:
                hours = f"{seconds / 3600:.1f} h"
                self.skip(name, f"not run: it needs about {hours}, more than a session has")
            else:
                self.waiting.append(name)
        if self.execution.budget.is_limited:  # the declared order decides, not that of kernels
            self.wait_again([name for name in list(self.waiting) if self.start(name)])

    def pack(self, machine: Machine, n_kernels: int, left_s: float) -> list[Load]:
        """Return the waiting trials in kernels, as far as the seconds left allow."""
        expected = {name: self.seconds_of(name, machine) for name in self.waiting}
        return pack_within(expected, machine, n_kernels, left_s)

    def seconds_of(self, name: str, machine: Machine) -> float:
        """Return how long a trial should take, after what other trials took."""
        return min(self.slowdown * self.expected[name], machine.room_s)

    def start(self, name: str) -> bool:
        """Start a trial unless the budget refuses it; it no longer waits."""
        self._remove(name)
        if name not in self.tasks:
            if (task := self.execution.start(self.trials[name])) is None:
                return False
            self.tasks[name] = task
        return True

    def finish(self, name: str, error: str) -> None:
        """End a trial with the result in the spool, or with its traceback."""
        self.execution.finish(self.tasks.pop(name), error)

    def skip(self, name: str, reason: str) -> None:
        """End a trial without a result; the next call tries it again."""
        if self.tasks.pop(name, None) is None:
            self.execution.pending.remove(self.trials[name])
        self._remove(name)
        self.execution.skip(self.trials[name], reason)

    def wait_again(self, names: list[str]) -> None:
        """Let trials wait that started, at their place in the declared order."""
        self.waiting = [n for n in self.trials if n in self.waiting or n in names]

    def learn(self, seen: Seen) -> None:
        """Compare what trials took with what was expected."""
        if expected_s := sum(self.expected.get(name, 0.0) for name in seen.seconds):
            self.slowdown = max(1.0, sum(seen.seconds.values()) / expected_s)

    def retry(self, name: str, seen: Seen, log: object) -> None:
        """Let a trial wait that its kernel did not finish, or give up on it."""
        if name in seen.begun or not seen.files:
            self.n_lost[name] += 1
        if self.n_lost[name] > _MOST_AGAIN:
            n = self.n_lost[name]
            self.finish(name, f"{n} kernels ended before this trial did. The last log: {log}")
            return
        if seen.state == DEADLINE and name in seen.begun:  # it takes longer than expected
            self.expected[name] *= 2
        self.wait_again([name])

    def _remove(self, name: str) -> None:
        self.waiting = [n for n in self.waiting if n != name]
