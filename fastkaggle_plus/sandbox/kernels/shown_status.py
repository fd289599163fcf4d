"""The status of a session that clients see: with a fault it is not the true one."""

import time

from ..faults import Faults
from .store import KernelVersion


class ShownStatus:
    """The sessions whose status is shown late (stale-running) or wrong (false-cancel)."""

    def __init__(self, faults: Faults):
        self._faults = faults
        self._stale_until: dict[int, float] = {}  # session -> time.monotonic()
        self._cancelled: set[int] = set()

    def note_end(self, session: int, status: str) -> None:
        """Choose what is shown of a session that ends now. Call it before its end is stored."""
        if stale_s := self._faults.seconds("stale-running"):
            self._stale_until[session] = time.monotonic() + stale_s
        if status == "COMPLETE" and self._faults.take_hook("false-cancel"):
            self._cancelled.add(session)

    def status(self, version: KernelVersion) -> str:
        """Return the status to show."""
        if version.session is None:
            return version.status
        if time.monotonic() < self._stale_until.get(version.session, 0.0):
            return "RUNNING"
        return "CANCEL_ACKNOWLEDGED" if version.session in self._cancelled else version.status
