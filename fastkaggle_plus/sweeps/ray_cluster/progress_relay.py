"""Progress of trials, from the nodes to the driver: an actor keeps the last report of each."""

import contextlib
import time
from collections.abc import Callable
from typing import Any

import ray

_EVERY_S = 0.5  # reports of one trial, and questions of the driver

Reports = dict[str, tuple[float, str, str]]  # by the run's key: share done, step, node


class _Relay:
    """The actor. After its node died it starts again elsewhere, empty."""

    def __init__(self) -> None:
        self.last: Reports = {}

    def report(self, key: str, share: float, step: str, node: str) -> None:
        self.last[key] = share, step, node

    def take(self) -> Reports:
        last, self.last = self.last, {}
        return last


def start_relay() -> Any:
    """Start the actor, and return its handle."""
    return ray.remote(num_cpus=0, max_restarts=-1)(_Relay).remote()


def reporter(relay: Any, key: str, node: str) -> Callable[[float, str], None]:
    """Return a function that sends the progress of one run, at most twice a second."""
    last = 0.0

    def report(share: float, step: str) -> None:
        nonlocal last
        if time.monotonic() - last >= _EVERY_S:
            last = time.monotonic()
            relay.report.remote(key, share, step, node)

    return report


class ProgressReader:
    """Reads the reports in the driver."""

    def __init__(self) -> None:
        self.relay, self.asked = start_relay(), 0.0

    def read(self) -> Reports:
        """Return new reports, at most twice a second; none while the actor's node is away."""
        if time.monotonic() - self.asked < _EVERY_S:
            return {}
        reports: Reports = {}
        with contextlib.suppress(ray.exceptions.RayError):
            reports = ray.get(self.relay.take.remote(), timeout=_EVERY_S)
        self.asked = time.monotonic()
        return reports
