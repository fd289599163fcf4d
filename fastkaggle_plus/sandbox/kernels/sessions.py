"""The life of a kernel version: taken within the limits of the account, run, ended; and what its accelerator has cost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..rpc import Refused
from .mounts import FindSource, mounts, remove, split_sources
from .quota import Limits, Quota, week_start
from .runs import Job, KernelRuns
from .store import KernelStore, Version


class KernelSessions:
    "The versions of all kernels, and their sessions."

    def __init__(
        self,
        store: KernelStore,
        runs: KernelRuns,
        sources: FindSource,
        *,
        limits: Limits | None = None,
    ):
        self.store, self.runs, self._sources, self.limits = store, runs, sources, limits or Limits()
        self.is_closed = False
        for row in store.state.rows(
            "select id, submission from kernel_sessions where status in ('QUEUED', 'RUNNING')"
        ):
            runs.end_leftover(row["id"])
            store.set_status(row["id"], "ERROR", "The sandbox was stopped while the kernel ran.")

    def close(self) -> None:
        "End all runs."
        self.is_closed = True
        self.runs.close()

    def add(self, kernel: int, asked: dict[str, Any], code: str) -> tuple[int, int | None]:
        "Add a version and, unless it is only saved, a session; return their numbers. Refused with status 200 when a limit is reached."
        if str(asked["kernelExecutionType"]).upper() == "QUICK_SAVE":
            return self.store.add_version(kernel, asked, code), None
        kind = accelerator(asked)
        most = self.limits.sessions[kind]
        if len(self.store.active(kind)) >= most:
            raise Refused(
                200, f"Maximum batch {kind.upper() or 'CPU'} session count of {most} reached."
            )
        if kind and (quota := self.quota(kind)).used_s >= quota.total_s:
            raise Refused(
                200,
                f"Maximum weekly {kind.upper()} quota of {quota.total_s / 3600:.2f} hours reached.",
            )
        number = self.store.add_version(kernel, asked, code)
        return number, self.store.add_session(kernel, number, accelerator=kind)

    def start(self, session: int | None) -> None:
        "Run a session that was added."
        row = self.store.session(session) if session is not None else None
        version = self.store.version(row["kernel"], row["version"]) if row else None
        if row is not None and version is not None:
            self.runs.start(
                self._job(row["id"], version),
                lambda status, reason: self.store.set_status(row["id"], status, reason),
            )

    def start_again(
        self,
        session: int,
        version: Version,
        *,
        over: dict[str, Path],  # place below input/ -> folder whose files replace those there
        done: Callable[[str, str], None],  # (status, reason), once the run has ended
    ) -> None:
        "Run a version again to be scored."

        def told(status: str, reason: str) -> None:
            self.store.set_status(session, status, reason)
            if status != "RUNNING":
                done(status, reason)

        self.runs.start(self._job(session, version, over=over), told)

    def delete(self, kernel: int) -> None:
        "End a kernel's sessions and forget it."
        for session in self.store.delete(kernel):
            self.runs.stop(session, "The kernel was deleted.")
            remove(self.store.folder / str(session))

    def find_source(self, kind: str, handle: str) -> Path | None:
        "Return the folder of a source, or None: kernels are known here, the others elsewhere."
        if kind != "kernel":
            return self._sources(kind, handle)
        owner, slug, number = (*handle.split("/"), "", "")[:3]
        kernel = (
            self.store.find(owner, slug)
            if handle.count("/") in (1, 2) and (not number or number.isdecimal())
            else None
        )
        version = (
            self.store.version(kernel["id"], int(number) if number else None) if kernel else None
        )
        return (
            self.store.folder / str(version.session) / "working"
            if version is not None and version.status == "COMPLETE"
            else None
        )

    def quota(self, kind: str) -> Quota:
        "Return this week's quota of an accelerator."
        rows = self.store.state.rows(
            "select 1 from kernel_sessions where accelerator = ? and started is not null limit 1",
            kind,
        )
        reserved = sum(
            self._timeout_s(self.store.version(r["kernel"], r["version"]))
            for r in self.store.active(kind)
        )
        return Quota(
            self.store.used_s(kind, week_start().timestamp()),
            reserved,
            self.limits.quota_s[kind],
            bool(rows),
        )

    def _timeout_s(self, version: Version | None) -> float:
        asked = int(version.asked["sessionTimeoutSeconds"] or 0) if version else 0
        return min(asked or self.limits.session_s, self.limits.session_s)

    def _job(self, session: int, version: Version, *, over: dict[str, Path] | None = None) -> Job:
        "The job of a version; with `over`, that of its scoring run."
        known, _ = split_sources(version.asked, self.find_source)
        inputs: dict[str, Sequence[Path]] = {
            p: [folder] for p, folder in mounts(known, self.find_source, self.limits.layout).items()
        }
        for place, folder in (over or {}).items():
            if (
                place in inputs
            ):  # a notebook that does not use the competition's data does not get the hidden part either
                inputs[place] = [*inputs[place], folder]
        timeout_s = self._timeout_s(version) if over is None else self.limits.rerun_s
        return Job(
            session,
            version.code,
            version.asked["kernelType"],
            version.asked["language"],
            inputs,
            bool(version.asked["enableInternet"]),
            accelerator(version.asked),
            timeout_s,
            is_rerun=over is not None,
        )


def accelerator(asked: dict[str, Any]) -> str:
    "Return gpu, tpu or nothing: what a version asks to run on."
    shape = str(asked["machineShape"] or "").lower()
    if shape.startswith("tpu") or (asked["enableTpu"] and not shape):
        return "tpu"
    return "gpu" if shape not in ("", "none", "cpu") or asked["enableGpu"] else ""
