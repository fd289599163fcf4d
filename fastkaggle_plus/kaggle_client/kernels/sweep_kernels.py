"""List and delete the notebooks that sweeps made, which are called fkp-HASH-NUMBER."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from ...exceptions import ConfigError, NotFound, PermissionDenied
from .. import api, session
from ..api import KaggleApi, Subject
from ..services import KERNELS
from . import lookup
from .kernel import kernel_of

PREFIX = "fkp-"
_NAME = re.compile(r"fkp-[0-9a-f]{8}-\d{2,}")


@dataclass(frozen=True)
class SweepKernel:
    """A notebook on Kaggle that runs trials of a sweep."""

    handle: str  # owner/name
    competition: str  # slug
    gpu: bool
    last_run: str  # ISO, UTC; "" = never

    @property
    def name(self) -> str:
        """Return its name without the owner."""
        return self.handle.rpartition("/")[2]


def sweep_kernels(
    prefix: str = PREFIX,  # of the name; that of one sweep ends with its hash and a dash
    *,
    client: KaggleApi | None = None,
) -> list[SweepKernel]:
    """Return your notebooks on Kaggle that sweeps made, newest first."""
    from kagglesdk.kernels.types.kernels_enums import KernelsListViewType

    client = client or session.import_kaggle()
    about = Subject(
        client,
        KERNELS,
        "your notebooks",
        {"group": KernelsListViewType.PROFILE, "search": prefix.strip("-")},
    )
    listed = [k for answer in about.pages("list_kernels", doing="list") for k in answer.kernels]
    return [_record(k) for k in listed if _is_ours(k.ref) and f"/{prefix}" in k.ref]


def delete_sweep_kernel(
    handle: str,  # owner/name, or the name of your own
    *,
    client: KaggleApi | None = None,
) -> str:
    """Delete a notebook that a sweep made, which also stops it; return owner/name.

    Deleting is the only call that ends a running session and its billing. Its output is lost.
    Raises ConfigError for any other notebook.
    """
    client = client or session.import_kaggle()
    kernel = kernel_of(handle, None, client)
    if not _is_ours(kernel.handle):
        raise ConfigError(
            f"{kernel.handle} was not deleted: no sweep made it. Expected a name such "
            "as fkp-1a2b3c4d-01; `fkp kernels list` shows them."
        )
    try:  # a second request after a lost answer finds nothing to delete
        lookup.about(client, kernel).call("delete_kernel", doing="delete")
    except (NotFound, PermissionDenied):
        if kernel.owner != api.user_of(client) or _exists(client, kernel):
            raise
    return kernel.handle


def _is_ours(handle: str) -> bool:
    return _NAME.fullmatch(handle.rpartition("/")[2]) is not None


def _exists(client: Any, kernel: Any) -> bool:
    try:
        lookup.get_kernel(client, kernel)
    except (NotFound, PermissionDenied):
        return False
    return True


def _record(listed: Any) -> SweepKernel:
    [competition] = listed.competition_data_sources[:1] or [""]
    return SweepKernel(
        listed.ref,
        competition.rpartition("/")[2],
        bool(listed.enable_gpu),
        api.to_iso(listed.last_run_time),
    )
