"""Accelerator hours: those that this week's sessions have used, and the moment of the last one."""

import threading
import time
from collections.abc import Callable

from ..limits import Limits, Quota, week_start
from .store import KernelStore


class AcceleratorHours:
    """The weekly hours of each accelerator. A session is billed by wall clock, not by GPU."""

    def __init__(
        self,
        store: KernelStore,
        limits: Limits,
        run_out: Callable[[list[int]], None],  # gets the sessions that run at that moment
    ):
        self._store, self._limits, self._run_out = store, limits, run_out
        self._timers: dict[str, threading.Timer] = {}
        self._guard = threading.Lock()

    def quota(self, kind: str) -> Quota:
        """Return this week's quota of gpu or tpu. Running sessions count up to now."""
        since, now = week_start().timestamp(), time.time()
        runs = self._store.started(kind)
        billed_s = sum(max(0.0, (r["ended"] or now) - max(r["started"], since)) for r in runs)
        used_s = billed_s * 3600 / self._limits.seconds_per_hour
        return Quota(used_s, self._limits.quota_s.get(kind, 0.0), bool(runs))

    def watch(self, kind: str) -> None:
        """Plan when the quota runs out. Call it whenever a session has started or ended."""
        with self._guard:
            if kind in self._timers:
                self._timers.pop(kind).cancel()
            running, quota = self._running(kind), self.quota(kind)
            if running:
                left_s = (quota.total_s - quota.used_s) * self._limits.seconds_per_hour / 3600
                timer = threading.Timer(max(0.0, left_s) / len(running), self._check, [kind])
                timer.daemon = True
                timer.start()
                self._timers[kind] = timer

    def close(self) -> None:
        """Stop waiting for the end of a quota."""
        with self._guard:
            for timer in self._timers.values():
                timer.cancel()

    def _running(self, kind: str) -> list[int]:
        return [r["id"] for r in self._store.started(kind) if r["ended"] is None]

    def _check(self, kind: str) -> None:
        quota = self.quota(kind)
        if quota.used_s < quota.total_s:  # it is a little early
            self.watch(kind)
        else:
            self._run_out(self._running(kind))
