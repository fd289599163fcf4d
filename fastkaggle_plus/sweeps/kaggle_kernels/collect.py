"""Collect what kernels wrote: download it, and put the results of trials into the spool."""

import contextlib
import json
import shutil
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...exceptions import DataError, NotFound, PermissionDenied
from ...kaggle_client import kernel_output, kernel_status
from ...kaggle_client.kernels.sweep_kernels import SweepKernel, sweep_kernels
from ..execution import SweepExecution
from ..spool import read_result, take_in, write_result
from ..stored_run import StoredRun
from ..vault import Vault
from .in_kernel import DEADLINE, DONE, REFUSED, RESULTS, SHARD_FILE


@dataclass(frozen=True)
class Seen:
    """What Kaggle says about a kernel, and what the kernel itself wrote."""

    status: str  # Kaggle's
    is_over: bool  # as Kaggle says; what the kernel wrote is more reliable
    facts: dict[str, Any] = field(default_factory=dict)  # of SHARD_FILE; empty: it is not there
    files: tuple[Path, ...] = ()  # of results

    @property
    def state(self) -> str:
        """What the kernel wrote about itself, see `in_kernel`; "" for nothing."""
        return str(self.facts.get("state", ""))

    @property
    def has_ended_itself(self) -> bool:
        """Whether its script ran to its end."""
        return self.state in (DONE, DEADLINE, REFUSED)

    @property
    def begun(self) -> set[str]:
        """The trials that started."""
        return set(self.facts.get("begun", ()))

    @property
    def seconds(self) -> dict[str, float]:
        """The duration of each trial that ended."""
        begun = self.facts.get("begun", {})
        return {name: end - begun[name] for name, end in self.facts.get("ended", {}).items()}

    @property
    def start_s(self) -> float:
        """The seconds until its first trial started; 0: none did, or it is not known."""
        return min(self.facts.get("begun", {}).values(), default=0.0)


def look_at(
    handle: str,  # owner/name
    version: int | None,  # None: the current one
    folder: Path,  # for its output
    client: Any,
) -> Seen:
    """Return the status of a kernel, and its files for any status.

    A kernel that ended may still be called RUNNING, and a complete one CANCEL_ACKNOWLEDGED.
    """
    status = kernel_status(handle, version, client=client)
    if status.status == "QUEUED":
        return Seen(status.status, False)
    file = folder / SHARD_FILE
    file.unlink(missing_ok=True)  # it may have changed since it was downloaded
    with contextlib.suppress(NotFound, PermissionDenied):  # there is no output yet
        kernel_output(handle, folder, version, client=client, any_status=True)
    facts = json.loads(file.read_text("utf-8")) if file.is_file() else {}
    files = tuple(sorted((folder / RESULTS).glob("*.zip")))
    return Seen(status.status, status.is_done, facts, files)


def take(
    execution: SweepExecution,
    seen: Seen,
    wanted: Collection[str],  # names of trials
) -> dict[str, str]:
    """Put the results of wanted trials into the spool; return their tracebacks, "" for success."""
    names = {execution.keys[name]: name for name in wanted}
    taken = {}
    for file in seen.files:
        try:
            key, slug, preds, run = read_result(file)
        except DataError:
            file.unlink()  # downloaded again at the next look
            continue
        if (name := names.get(key)) is None:
            continue
        comp = execution.comp
        facts = {
            **run["facts"],  # as measured there, but with this machine's folders
            "parts": execution.parts[name],
            "competition": str(comp.folder or comp.slug),
            "data": str(Path(execution.path).resolve()),
        }
        error = run["error"]
        write_result(execution.spool, key, slug, preds, name=name, error=error, **facts)
        taken[name] = error
    return taken


def fetch_results(
    slug: str,  # of the competition
    vault: Vault,
    client: Any,
) -> list[tuple[SweepKernel, Seen, list[StoredRun]]]:
    """Store the results of all kernels of a competition; return what is new of each."""
    found = []
    for kernel in sweep_kernels(client=client):
        if kernel.competition == slug:
            folder = vault.folder / "kernels" / "fetched" / kernel.name
            seen = look_at(kernel.handle, None, folder, client)
            vault.spool.mkdir(exist_ok=True)
            for file in seen.files:
                shutil.copy(file, vault.spool)
            found.append((kernel, seen, take_in(vault.spool, vault)))
    return found
