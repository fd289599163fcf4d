"""Read what Kaggle knows about a notebook: its source, its current version, its status."""

from __future__ import annotations

from typing import Any

from .. import api
from ..services import KERNELS
from .kernel import Kernel, KernelStatus


def read(client: Any, method: str, kernel: Kernel, *, doing: str) -> Any:
    """Return the answer to a read about one notebook."""
    return api.call(client, KERNELS, method, kernel.request, name=str(kernel), doing=doing)


def get_kernel(client: Any, kernel: Kernel) -> Any:
    """Return Kaggle's copy of a notebook: its metadata and its source."""
    return read(client, "get_kernel", kernel, doing="read")


def with_version(client: Any, kernel: Kernel) -> Kernel:
    """Return `kernel` with a version, as the current one can change between two reads."""
    if kernel.version:
        return kernel
    current = get_kernel(client, kernel).metadata.current_version_number
    return Kernel(kernel.owner, kernel.slug, current or None)


def read_status(client: Any, kernel: Kernel) -> KernelStatus:
    """Return the status of one notebook version."""
    answer = read(client, "get_kernel_session_status", kernel, doing="read the status of")
    message = answer.failure_message or ""
    return KernelStatus(kernel.handle, kernel.version, answer.status.name, message)
