"""Read what Kaggle knows about a notebook: its source, its current version, its status."""

from typing import Any

from ..api import Subject
from ..services import KERNELS
from .kernel import Kernel, KernelStatus


def about(client: Any, kernel: Kernel) -> Subject:
    """Return the subject for calls about one notebook, or one version of it."""
    fields = {"user_name": kernel.owner, "kernel_slug": kernel.slug}
    if kernel.version:
        fields["version_label"] = f"v{kernel.version}"
    return Subject(client, KERNELS, str(kernel), fields)


def get_kernel(client: Any, kernel: Kernel) -> Any:
    """Return Kaggle's copy of a notebook: its metadata and its source."""
    return about(client, kernel).call("get_kernel")


def with_version(client: Any, kernel: Kernel) -> Kernel:
    """Return `kernel` with a version, as the current one can change between two reads."""
    if kernel.version:
        return kernel
    current = get_kernel(client, kernel).metadata.current_version_number
    return Kernel(kernel.owner, kernel.slug, current or None)


def read_status(client: Any, kernel: Kernel) -> KernelStatus:
    """Return the status of one notebook version."""
    answer = about(client, kernel).call("get_kernel_session_status", doing="read the status of")
    status, message = answer.status.name, answer.failure_message or ""
    return KernelStatus(kernel.handle, kernel.version, status, message)
