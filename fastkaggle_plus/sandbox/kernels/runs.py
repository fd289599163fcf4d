"""Run kernels in their own processes, with a time limit and a live log."""

import contextlib
import functools
import hashlib
import json
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..faults import Fault
from .gateway import Gateway, KernelApi
from .isolation import TEMPORARY_FOLDERS, end_marked_processes, start, supported_isolation
from .job import KernelJob
from .mounts import remove_folder
from .prepare import prepare_run
from .run_inputs import RunInputs
from .run_log import RunLog, read_last_events, read_lines

_END_TIMEOUT_S = 10
# As Kaggle says it.
EXCEEDED = "Your notebook was stopped because it exceeded the max allowed execution duration."
_DIED = "The kernel died."
GUARDED = (
    "This system has no network namespaces, so this kernel shares the machine's network. Python "
    "connects to this machine only; other programs get a proxy that refuses other addresses.\n"
)


@dataclass
class KernelRun:
    """A job that waits or runs."""

    job: KernelJob
    done: Callable[[str, str], None]  # (status, reason)
    log: RunLog
    process: subprocess.Popen[bytes] | None = None
    stop_reason: str = ""  # why it was stopped; "" when it ends by itself
    is_cancelled: bool = False  # its output is discarded


class KernelRuns:
    """The runs of one sandbox."""

    def __init__(
        self,
        folder: Path,  # each run gets a folder in it
        *,
        hidden: Sequence[Path] = (),  # folders that no kernel may see: solutions, keys
        secrets: Callable[[], Mapping[str, str]] = dict,
        dies: Callable[[], Fault | None] = lambda: None,  # asked once a run: kill it halfway?
        max_parallel: int = 8,  # the other runs wait, QUEUED
        isolated: frozenset[str] | None = None,  # files, network; default: all that is supported
    ):
        self.folder, self.secrets, self.dies = folder, secrets, dies
        self._hidden = (folder.parent, *hidden)
        self._isolated = isolated
        self.api: KernelApi | None = None  # what kernels can call; set before the first run
        self._slots = threading.BoundedSemaphore(max_parallel)
        self._runs: dict[int, KernelRun] = {}
        self._threads: list[threading.Thread] = []
        self._guard = threading.Lock()

    @property
    def isolated(self) -> frozenset[str]:
        """What each kernel has for itself: files, network. Tested at the first use."""
        return supported_isolation() if self._isolated is None else self._isolated

    def start(self, job: KernelJob, done: Callable[[str, str], None]) -> None:
        """Queue a job.

        `done` is called with RUNNING, then with COMPLETE, ERROR or CANCEL_ACKNOWLEDGED.
        """
        run = KernelRun(job, done, RunLog(self._log_file(job.session)))
        name = f"kernel {job.session}"
        thread = threading.Thread(target=self._run, args=(run,), daemon=True, name=name)
        with self._guard:
            self._runs[job.session] = run
            self._threads = [t for t in self._threads if t.is_alive()] + [thread]
        thread.start()

    def stop(self, session: int, reason: str) -> bool:
        """Cancel a run and wait until it has ended; False if it had ended before."""
        run = self._runs.get(session)
        if run is None:
            return False
        self._stop(run, reason, cancels=True)
        run.log.wait(lambda: session not in self._runs, _END_TIMEOUT_S)
        return True

    def close(self) -> None:
        """End all runs."""
        for run in list(self._runs.values()):
            self._stop(run, "The sandbox was closed while the kernel ran.")
        for thread in self._threads:
            thread.join(timeout=_END_TIMEOUT_S)

    def end_leftover(self, session: int) -> None:
        """End the processes that a killed server left running."""
        end_marked_processes(self._marker(session))

    def log(self, session: int | None) -> list[dict[str, Any]]:
        """Return the log of a run so far: stream_name, time (s), data."""
        return [json.loads(line) for line in self.log_lines(session)]

    def log_lines(self, session: int | None, start: int = 0) -> list[bytes]:
        """Return the complete lines of a log from byte `start` on."""
        return read_lines(self._log_file(session), start)

    def log_end(self, session: int | None) -> list[dict[str, Any]]:
        """Return the last events of a log."""
        return read_last_events(self._log_file(session))

    def wait_for_log(self, session: int, n_read: int, timeout_s: float) -> int | None:
        """Wait until a log is longer than `n_read` bytes; return its length, or None at its end."""
        run = self._runs.get(session)
        if run is None:
            return None
        run.log.wait(lambda: run.log.n_written > n_read or session not in self._runs, timeout_s)
        return run.log.n_written if session in self._runs else None

    def _log_file(self, session: int | None) -> Path:
        return self.folder / str(session) / "log.jsonl"

    def _run(self, run: KernelRun) -> None:
        """Wait for a slot, execute, and report the end."""
        status, reason = "ERROR", ""
        try:
            while not self._slots.acquire(timeout=0.1):
                if run.stop_reason:
                    return
            try:
                if not run.stop_reason:
                    run.done("RUNNING", "")
                    status, reason = self._execute(run)
            finally:
                self._slots.release()
        except Exception as e:  # after any error, the session must not stay RUNNING
            reason = f"The sandbox could not run the kernel: {type(e).__name__}: {e}"
        finally:
            if run.stop_reason:
                status = "CANCEL_ACKNOWLEDGED" if run.is_cancelled else "ERROR"
                reason = run.stop_reason
            for name in (*TEMPORARY_FOLDERS, *(["working"] if run.is_cancelled else [])):
                remove_folder(self.folder / str(run.job.session) / name)
            run.done(status, reason)
            self._runs.pop(run.job.session, None)
            run.log.wake()

    def _execute(self, run: KernelRun) -> tuple[str, str]:
        """Run the job to its end and return (status, reason)."""
        job, at = run.job, self.folder / str(run.job.session)
        has_own_network = "network" in self.isolated
        inputs = RunInputs(at, has_own_files="files" in self.isolated)
        gateway = Gateway(
            job,
            inputs,
            self.api,
            has_own_network=has_own_network,
            report=functools.partial(run.log.add, "stderr"),
        )
        command = prepare_run(
            job,
            at,
            isolated=self.isolated,
            inputs=inputs,
            gateway=gateway,
            secrets=self.secrets(),
            hidden=self._hidden,
            marker=self._marker(job.session),
        )
        dies = self.dies()
        with contextlib.closing(gateway), run.log.opened():
            if not has_own_network:
                run.log.add("stderr", GUARDED)
            if job.language != "python":
                text = f"The sandbox runs Python, and this kernel is written in {job.language!r}.\n"
                run.log.add("stderr", text)
                return "ERROR", f"The sandbox cannot run {job.language!r}."
            code = self._run_process(run, command, gateway, dies=dies)
            if run.stop_reason:
                run.log.add("stderr", run.stop_reason + "\n")
        if code == 0:
            return "COMPLETE", ""
        errors = [e["data"].strip() for e in self.log(job.session) if e["stream_name"] == "stderr"]
        last = next((text for text in reversed(errors) if text), "it wrote nothing to stderr")
        return "ERROR", f"Exit status {code}: {last}"[:500]

    def _run_process(
        self, run: KernelRun, command: list[str], gateway: Gateway, *, dies: Fault | None
    ) -> int:
        """Run a command until it ends or its time is over, and return its exit status."""
        run.process, control = start(command)
        with contextlib.closing(control), gateway.serving(control):
            return self._follow(run, run.process, dies=dies)

    def _follow(
        self, run: KernelRun, process: subprocess.Popen[bytes], *, dies: Fault | None
    ) -> int:
        """Read the output of a process to its end, and return its exit status."""
        reader = threading.Thread(target=run.log.follow, args=(process,), daemon=True)
        reader.start()
        if dies:
            threading.Thread(
                target=self._kill_halfway, args=(run, dies, run.log.n_lines), daemon=True
            ).start()
        if run.stop_reason:  # stopped while it was being started
            self._kill(run)
        try:
            code = process.wait(timeout=run.job.timeout_s)
        except subprocess.TimeoutExpired:
            self._stop(run, EXCEEDED, cancels=True)
            code = process.wait()
        self._kill(run)  # its background processes
        reader.join(timeout=_END_TIMEOUT_S)
        if dies and not run.stop_reason:
            run.stop_reason = _DIED
        return code

    def _kill_halfway(self, run: KernelRun, fault: Fault, n_before: int) -> None:
        """Kill a run after line `at` of its log; default: the first one, or 2 s without any."""

        def has_ended() -> bool:
            return run.job.session not in self._runs

        last = n_before + (fault.at or 1)
        run.log.wait(
            lambda: run.log.n_lines >= last or has_ended(), None if fault.at is not None else 2
        )
        run.log.wait(has_ended, fault.seconds)
        if not has_ended():
            self._stop(run, _DIED)

    def _stop(self, run: KernelRun, reason: str, *, cancels: bool = False) -> None:
        if not run.stop_reason:
            run.stop_reason, run.is_cancelled = reason, cancels
        self._kill(run)

    def _kill(self, run: KernelRun) -> None:
        if run.process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(run.process.pid, signal.SIGKILL)
            end_marked_processes(self._marker(run.job.session))

    def _marker(self, session: int) -> str:
        """Return the container name that every process of a run has in its environment."""
        digest = hashlib.sha256(str(self.folder.resolve()).encode()).hexdigest()
        return f"kaggle-sandbox-{digest[:12]}-{session}"
