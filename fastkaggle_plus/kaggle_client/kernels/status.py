"""What a notebook on Kaggle is doing: its status, waiting for its end, and the accelerator hours left."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any

from ...exceptions import KaggleError, KaggleUnavailable, KernelFailed, RateLimited
from .. import api, errors, session
from . import failure_hints, logs, lookup
from .lookup import Kernel

if TYPE_CHECKING:
    from kaggle.api.kaggle_api_extended import KaggleApi

    from .push import KernelVersion

RUNNING = ("QUEUED", "RUNNING", "CANCEL_REQUESTED")


@dataclass(frozen=True)
class KernelStatus:
    "What one version of a notebook is doing."

    handle: str  # owner/name
    version: int | None  # None = the current one was asked for
    status: str  # QUEUED | RUNNING | COMPLETE | ERROR | CANCEL_REQUESTED | CANCEL_ACKNOWLEDGED | NEW_SCRIPT (never run)
    failure_message: str = ""

    @property
    def is_done(self) -> bool:
        "Say whether nothing more will happen to it."
        return self.status not in RUNNING


@dataclass(frozen=True)
class Quota:
    "The hours of one kind of accelerator this week."

    accelerator: str  # GPU | TPU
    used_s: float
    reserved_s: float  # by sessions that run now
    allowed_s: float
    refreshes: str  # when used_s becomes 0 again, ISO, UTC; "" = not told

    @property
    def left_s(self) -> float:
        return max(0.0, self.allowed_s - self.used_s - self.reserved_s)


def kernel_status(
    handle: str | KernelVersion,  # owner/name, or what push_notebook returned
    version: int | None = None,  # None = the current one
    *,
    client: KaggleApi | None = None,
) -> KernelStatus:
    "Return what a notebook is doing."
    client = client or session.import_kaggle()
    return status_of(client, lookup.kernel_of(handle, version, client))


def wait_kernel(
    handle: str | KernelVersion,
    version: int | None = None,  # None = the current one when this is called
    *,
    timeout_s: float = 12
    * 3600.0,  # then the status is returned as it is, and another call waits on
    poll_s: float = 20.0,  # longest pause between looks
    client: KaggleApi | None = None,
) -> KernelStatus:
    "Return the status of a notebook once it has ended; raise KernelFailed, with the end of its log, if it ended badly."
    client = client or session.import_kaggle()
    kernel = pinned(client, lookup.kernel_of(handle, version, client))
    ends, pause = time.monotonic() + timeout_s, min(poll_s, 1.0)
    status: KernelStatus | None = None
    while True:
        try:
            status = status_of(client, kernel)
        except (KaggleUnavailable, RateLimited):
            # The notebook runs on whether or not we hear of it.
            if time.monotonic() >= ends and status is None:
                raise
        left = ends - time.monotonic()
        if status and (status.is_done or left <= 0):
            break
        time.sleep(max(0.0, min(pause, left)))
        pause = min(poll_s, pause * 1.5)
    if status.is_done and status.status != "COMPLETE":
        raise _failed(client, kernel, status)
    return status


def quota(*, client: KaggleApi | None = None) -> list[Quota]:
    "Return the accelerator hours used and left this week, GPU first."
    from kagglesdk.kernels.types.kernels_api_service import ApiGetAcceleratorQuotaStatisticsRequest

    answer = lookup.read(
        client or session.import_kaggle(),
        "get_accelerator_quota_statistics",
        ApiGetAcceleratorQuotaStatisticsRequest(),
        doing="read the quota of",
    )
    refreshes = answer.quota_refresh_time
    date = (
        (refreshes if refreshes.tzinfo else refreshes.replace(tzinfo=UTC)).isoformat()
        if refreshes
        else ""
    )
    return [
        Quota(
            name,
            _seconds(q.time_used),
            _seconds(q.time_reserved),
            _seconds(q.total_time_allowed),
            date,
        )
        for name, q in (("GPU", answer.gpu_quota), ("TPU", answer.tpu_quota))
        if q is not None
    ]


def status_of(client: Any, kernel: Kernel) -> KernelStatus:
    "Return the status of one notebook version."
    from kagglesdk.kernels.types.kernels_api_service import ApiGetKernelSessionStatusRequest

    request = lookup.about(ApiGetKernelSessionStatusRequest(), kernel)
    answer = lookup.read(
        client, "get_kernel_session_status", request, kernel=kernel, doing="read the status of"
    )
    return KernelStatus(
        kernel.handle, kernel.version, answer.status.name, answer.failure_message or ""
    )


def pulled(client: Any, kernel: Kernel) -> Any:
    "Return Kaggle's copy of a notebook: its metadata and its source."
    from kagglesdk.kernels.types.kernels_api_service import ApiGetKernelRequest

    return lookup.read(
        client,
        "get_kernel",
        lookup.about(ApiGetKernelRequest(), kernel),
        kernel=kernel,
        doing="read",
    )


def pinned(client: Any, kernel: Kernel) -> Kernel:
    "Return `kernel` with a version: what is current now must not change between two looks."
    if kernel.version:
        return kernel
    current = pulled(client, kernel).metadata.current_version_number
    return Kernel(kernel.owner, kernel.slug, current or None)


def _failed(client: Any, kernel: Kernel, status: KernelStatus) -> KernelFailed:
    how = {
        "ERROR": "ended in an error",
        "CANCEL_ACKNOWLEDGED": "was cancelled",
        "NEW_SCRIPT": "was never run",
    }.get(status.status, status.status)
    try:
        tail = logs.tail(logs.stored(client, kernel))
    except KaggleError as e:
        tail = f"(the log could not be read: {e})"
    secrets = api.secrets_of(client)
    why = f": {status.failure_message.rstrip('.')}" if status.failure_message else ""
    hint = (
        failure_hints.after_a_run(f"{tail}\n{status.failure_message}")
        if status.status == "ERROR"
        else ""
    )
    what, tail = (
        errors.scrub(f"{kernel} {how}{why}.{hint and f' {hint}'}", secrets),
        errors.scrub(tail, secrets),
    )
    end = f" The end of its log:\n{tail}\n" if tail else " It left no log. "
    # A sandbox's notebook has no page to look at.
    whole = "" if api.is_local(client) else f"The whole log: {kernel.url}/log, or "
    fetch = f"fkp output {kernel.handle}" + (
        f" --version {kernel.version}" if kernel.version else ""
    )
    return KernelFailed(
        f"{what}{end}{whole or 'The whole log: '}`{fetch}`.",
        said=errors.scrub(status.failure_message, secrets) or tail,
        what=what,
        log_end=tail,
    )


def _seconds(duration: timedelta | None) -> float:
    return duration.total_seconds() if duration else 0.0
