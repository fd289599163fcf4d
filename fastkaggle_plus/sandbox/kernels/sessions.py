"""Start and end kernel versions within the account's limits."""

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..faults import Faults
from ..limits import Limits
from ..rpc import Rejected
from .job import KernelJob
from .machine_shapes import accelerator, count_gpus
from .mounts import FindSource, find_sources, mount_path, remove_folder
from .quota import AcceleratorHours
from .runs import KernelRuns
from .shown_status import ShownStatus
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
        faults: Faults | None = None,
    ):
        self.store, self.runs, self.limits = store, runs, limits or Limits()
        self._faults = faults or Faults()
        self.shown = ShownStatus(self._faults)
        self._hours = AcceleratorHours(store, self.limits, self._end_all)
        self.quota = self._hours.quota
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
        self._hours.close()

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
            kind = row["accelerator"] if row else ""
            self.runs.start(job, functools.partial(self._report, session, kind, done))

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

    def _end_all(self, sessions: list[int]) -> None:
        """Cancel the sessions that run when a quota is used up, if a fault says so.

        At Kaggle they run on, and the account has used more than its quota.
        """
        if self._faults.take_hook("quota-ends"):
            for session in sessions:
                self.runs.stop(session, "The accelerator quota of this week is used up.")

    def _report(self, session: int, kind: str, done: Done | None, status: str, reason: str) -> None:
        if status != "RUNNING" and done is None:
            self.shown.note_end(session, status)
        self.store.set_status(session, status, reason)
        if kind:
            self._hours.watch(kind)
        if done and status != "RUNNING":
            done(status, reason)

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
        kind = accelerator(version.fields)
        # The version's own timeout is not kept: at Kaggle, kernels were seen to run far beyond it.
        limit_s = self.limits.tpu_session_s if kind == "tpu" else self.limits.session_s
        return KernelJob(
            session,
            version.code,
            version.fields["kernelType"],
            version.fields["language"],
            inputs,
            bool(version.fields["enableInternet"]),
            kind,
            limit_s if hidden is None else self.limits.rerun_s,
            n_cards=count_gpus(version.fields),
            is_rerun=hidden is not None,
            hidden=hidden or {},
        )
