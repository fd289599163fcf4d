"""The account that runs the kernels: its hours, and what is sent to it."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...exceptions import (
    DownloadCorrupt,
    KaggleError,
    KaggleUnavailable,
    NotFound,
    PermissionDenied,
    PushRefused,
    RateLimited,
)
from ...kaggle_client import push_notebook, quota
from ...kaggle_client.error_rules import SESSION_CAP
from ...kaggle_client.kernels.sweep_kernels import delete_sweep_kernel, sweep_kernels
from .packing import Machine
from .shards import Shard

# Kaggle works on: ask again at the next poll.
TEMPORARY = (KaggleUnavailable, RateLimited, DownloadCorrupt)
GONE = (NotFound, PermissionDenied)  # the answers about a kernel that was deleted


@dataclass(frozen=True)
class Account:
    """One account on Kaggle, real or sandbox."""

    client: Any
    owner: str
    journal: str | Path | None
    poll_s: float
    announce: bool  # print account and target before something is sent to the real Kaggle

    def handle(self, shard: Shard) -> str:
        """Return owner/name of a shard's kernel."""
        return f"{self.owner}/{shard.name}"

    def names(self, prefix: str) -> list[str]:
        """Return the names of the kernels on Kaggle with this prefix."""
        return [kernel.name for kernel in sweep_kernels(prefix, client=self.client)]

    def left_s(
        self,
        gpu: bool,
        reserved_s: float,  # that our own running kernels may still use
    ) -> float:
        """Return the accelerator seconds of this week that nothing uses or may use."""
        if not gpu:
            return math.inf
        for hours in quota(client=self.client):
            if hours.accelerator == "GPU":
                return hours.allowed_s - hours.used_s - max(hours.reserved_s, reserved_s)
        raise KaggleError(
            "Kaggle did not say how many GPU hours are left. See https://www.kaggle.com/settings, "
            "or run the sweep on CPU kernels: --cpu, or gpu=False."
        )

    def push(
        self,
        shard: Shard,
        script: Path,
        slug: str,  # of the competition
        machine: Machine,
        *,
        internet: bool,
        datasets: Sequence[str],
    ) -> int:
        """Send a kernel once and return its version. Raises QuotaReached, KaggleError."""
        try:
            return push_notebook(
                self.owner,
                shard.name,
                shard.title,
                script.name,
                script.parent,
                slug,
                True,
                machine.gpu,
                internet,
                datasets,
                timeout_s=math.ceil(shard.deadline_s + machine.margin_s),
                queue_s=0.0,
                client=self.client,
                journal=self.journal,
                poll_s=self.poll_s,
                announce=self.announce,
            ).version
        except PushRefused:
            self.delete(shard)  # a version without its inputs may run
            raise

    def delete(self, shard: Shard) -> None:
        """Delete a kernel, which ends its billing."""
        delete_sweep_kernel(self.handle(shard), client=self.client)


def is_session_cap(message: str) -> bool:
    """Say whether Kaggle refused a push because all sessions are in use."""
    return re.search(SESSION_CAP, message, re.IGNORECASE) is not None
