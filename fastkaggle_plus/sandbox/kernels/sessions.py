"""Start and end kernel versions within the account's limits, and count accelerator hours."""

import functools
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..limits import Limits, Quota, week_start
from ..rpc import Rejected
from .job import KernelJob
from .mounts import FindSource, find_sources, mount_path, remove_folder
from .runs import KernelRuns
from .store import KernelStore, KernelVersion

Done = Callable[[str, str], None]  # (status, reason)


class KernelSessions:
    """The sessions of all kernels."""

    def __init__(
        self,
        store: KernelStore,
        runs: KernelRuns,
        find_source: FindSource,  # for competitions, datasets and models
        *,
        limits: Limits | None = None,
    ):
        self.store, self.runs, self.limits = store, runs, limits or Limits()
        self._find_other_source = find_source
        self.is_closed = False
        for row in store.state.rows(
            "select id from kernel_sessions where status in ('QUEUED', 'RUNNING')"
        ):
            runs.end_leftover(row["id"])
            store.set_status(row["id"], "ERROR", "The sandbox was stopped while the kernel ran.")

    def close(self) -> None:
        """End all runs."""
        self.is_closed = True
        self.runs.close()

    def add(self, kernel: int, fields: dict[str, Any], code: str) -> tuple[int, int | None]:
        """Add a version and its session (None for a quick save). Raises Rejected at a limit."""
        if str(fields["kernelExecutionType"]).upper() == "QUICK_SAVE":
            return self.store.add_version(kernel, fields, code), None
        kind = accelerator(fields)
        limit = self.limits.sessions[kind]
        if len(self.store.active(kind)) >= limit:
            raise Rejected(
                f"Maximum batch {kind.upper() or 'CPU'} session count of {limit} reached."
            )
        if kind and (quota := self.quota(kind)).used_s >= quota.total_s:
            raise Rejected(
                f"Maximum weekly {kind.upper()} quota of {quota.total_s / 3600:.2f} hours reached."
            )
        number = self.store.add_version(kernel, fields, code)
        return number, self.store.add_session(kernel, number, accelerator=kind)

    def start(
        self,
        session: int,
        *,
        # path below input/ -> folder whose files replace those there; None: no scoring run
        hidden: dict[str, Path] | None = None,
        done: Done | None = None,  # called when the run has ended
    ) -> None:
        """Run a session that was added."""
        row = self.store.session(session)
        version = self.store.version(row["kernel"], row["version"]) if row else None
        if version is not None:
            job = self._job(session, version, hidden=hidden)
            self.runs.start(job, functools.partial(self._report, session, done))

    def delete(self, kernel: int) -> None:
        """End a kernel's sessions and delete it."""
        for session in self.store.delete(kernel):
            self.runs.stop(session, "The kernel was deleted.")
            remove_folder(self.store.folder / str(session))

    def find_source(self, kind: str, handle: str) -> Path | None:
        """Return the folder of a source, or None: the output of a kernel, or another source."""
        if kind != "kernel":
            return self._find_other_source(kind, handle)
        owner, slug, number, *rest = (*handle.split("/"), "", "")
        if not slug or any(rest) or not (number == "" or number.isdecimal()):
            return None
        version = self.store.find_version(f"{owner}/{slug}", int(number) if number else None)
        if version is None or version.status != "COMPLETE":
            return None
        return self.store.folder / str(version.session) / "working"

    def quota(self, kind: str) -> Quota:
        """Return this week's quota of an accelerator."""
        since, runs = week_start().timestamp(), self.store.started(kind)
        used = sum(max(0.0, (r["ended"] or time.time()) - max(r["started"], since)) for r in runs)
        active = [self.store.version(r["kernel"], r["version"]) for r in self.store.active(kind)]
        reserved = sum(self._timeout_s(v) for v in active if v)
        return Quota(used, reserved, self.limits.quota_s[kind], bool(runs))

    def _report(self, session: int, done: Done | None, status: str, reason: str) -> None:
        self.store.set_status(session, status, reason)
        if done and status != "RUNNING":
            done(status, reason)

    def _timeout_s(self, version: KernelVersion) -> float:
        wanted = int(version.fields["sessionTimeoutSeconds"] or 0)
        return min(wanted or self.limits.session_s, self.limits.session_s)

    def _job(
        self, session: int, version: KernelVersion, *, hidden: dict[str, Path] | None
    ) -> KernelJob:
        """Return the job of a version; with `hidden`, the job of its scoring run."""
        inputs: dict[str, Sequence[Path]] = {
            mount_path(kind, handle, self.limits.layout): [folder]
            for kind, handle, folder in find_sources(version.fields, self.find_source)
            if folder is not None
        }
        # A notebook without the competition's data does not get the hidden data either.
        for path, folder in (hidden or {}).items():
            if path in inputs:
                inputs[path] = [*inputs[path], folder]
        return KernelJob(
            session,
            version.code,
            version.fields["kernelType"],
            version.fields["language"],
            inputs,
            bool(version.fields["enableInternet"]),
            accelerator(version.fields),
            self._timeout_s(version) if hidden is None else self.limits.rerun_s,
            is_rerun=hidden is not None,
            hidden=hidden or {},
        )


def accelerator(fields: dict[str, Any]) -> str:
    """Return the accelerator that a version needs: gpu, tpu or ""."""
    shape = str(fields["machineShape"] or "").lower()
    if shape.startswith("tpu") or (fields["enableTpu"] and not shape):
        return "tpu"
    return "gpu" if shape not in ("", "none", "cpu") or fields["enableGpu"] else ""
