"""Read a notebook's status, wait for its end, and read the accelerator hours left."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from ...exceptions import KaggleError, KernelFailed
from .. import api, errors, session
from ..api import KaggleApi, Subject
from ..polling import poll_until
from ..services import KERNELS
from . import failure_hints, logs, lookup
from .kernel import Kernel, KernelStatus, KernelVersion, kernel_of


@dataclass(frozen=True)
class Quota:
    """The hours of one kind of accelerator this week."""

    accelerator: str  # GPU | TPU
    used_s: float
    reserved_s: float  # by sessions that run now
    allowed_s: float
    refreshes: str  # when used_s becomes 0 again, ISO, UTC; "" = unknown

    @property
    def left_s(self) -> float:
        return max(0.0, self.allowed_s - self.used_s - self.reserved_s)


def kernel_status(
    handle: str | KernelVersion,  # owner/name, or the result of push_notebook
    version: int | None = None,  # None = the current one
    *,
    client: KaggleApi | None = None,
) -> KernelStatus:
    """Return the status of a notebook."""
    client = client or session.import_kaggle()
    return lookup.read_status(client, kernel_of(handle, version, client))


def wait_kernel(
    handle: str | KernelVersion,
    version: int | None = None,  # None = the current one when this is called
    *,
    timeout_s: float = 12 * 3600.0,  # then the status so far is returned; call again to wait longer
    poll_s: float = 20.0,  # longest pause between polls
    client: KaggleApi | None = None,
) -> KernelStatus:
    """Return the status of a notebook after its end. Raises KernelFailed with its last log."""
    client = client or session.import_kaggle()
    kernel = lookup.with_version(client, kernel_of(handle, version, client))
    status = poll_until(
        lambda: lookup.read_status(client, kernel),
        lambda s: s.is_done,
        poll_s=poll_s,
        timeout_s=timeout_s,
    )
    if status.is_done and status.status != "COMPLETE":
        raise _failure(client, kernel, status)
    return status


def quota(*, client: KaggleApi | None = None) -> list[Quota]:
    """Return the accelerator hours used and left this week, GPU first."""
    about = Subject(client or session.import_kaggle(), KERNELS, "your notebooks")
    answer = about.call("get_accelerator_quota_statistics", doing="read the quota of")
    refreshes = api.to_iso(answer.quota_refresh_time)
    return [
        Quota(
            kind,
            _seconds(q.time_used),
            _seconds(q.time_reserved),
            _seconds(q.total_time_allowed),
            refreshes,
        )
        for kind, q in (("GPU", answer.gpu_quota), ("TPU", answer.tpu_quota))
        if q is not None
    ]


def _failure(client: Any, kernel: Kernel, status: KernelStatus) -> KernelFailed:
    how = {
        "ERROR": "ended in an error",
        "CANCEL_ACKNOWLEDGED": "was cancelled",
        "NEW_SCRIPT": "was never run",
    }.get(status.status, status.status)
    secrets, message = api.secrets_of(client), status.failure_message
    try:
        tail = errors.scrub(logs.tail(logs.stored_log(client, kernel)), secrets)
    except KaggleError as e:
        tail = f"(the log could not be read: {e})"
    why = f": {message.rstrip('.')}" if message else ""
    what = f"{kernel} {how}{why}."
    if status.status != "NEW_SCRIPT" and (hint := failure_hints.after_a_run(f"{tail}\n{message}")):
        what += f" {hint}"
    what = errors.scrub(what, secrets)
    end = f" The end of its log:\n{tail}\n" if tail else " It left no log. "
    # A sandbox has no pages.
    page = "" if api.is_local(client) else f"{kernel.url}/log, or "
    version = f" --version {kernel.version}" if kernel.version else ""
    version += "" if api.is_local(client) else " --live"
    return KernelFailed(
        f"{what}{end}The whole log: {page}`fkp output {kernel.handle}{version}`.",
        said=errors.scrub(message, secrets) or tail,
        what=what,
        log_end=tail,
    )


def _seconds(duration: timedelta | None) -> float:
    return duration.total_seconds() if duration else 0.0
