"""Runs kernels for real: each in processes, folders and, where the system allows it, namespaces of its own; with a time limit and a live log."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...competition import builtin_folder
from ...environment import harmless_variables
from .isolation import TRANSIENT, end_marked, isolation, lay_out
from .mounts import has_links, lay_over, remove
from .run_log import RunLog, last_events, lines

_HERE = Path(__file__).resolve().parent
_GRACE_S = 10


@dataclass(frozen=True)
class Job:
    "One execution of a kernel version."

    session: int
    code: str
    kernel_type: str  # notebook | script
    language: str  # python; others end in an error
    inputs: Mapping[str, Sequence[Path]]  # place below input/ -> folders laid over each other
    internet: bool
    accelerator: str  # gpu | tpu | "" for none
    timeout_s: float
    is_rerun: bool = False  # scoring run of a code competition


@dataclass
class Run:
    "A job that waits or runs."

    job: Job
    done: Callable[[str, str], None]  # (status, reason) -> None
    log: RunLog
    process: subprocess.Popen[bytes] | None = None
    ended_by: str = ""  # why it was stopped, in words; "" when it ends by itself
    is_cancelled: bool = False


class KernelRuns:
    "The runs of one sandbox."

    def __init__(
        self,
        folder: Path,  # each run gets a folder in it
        *,
        hidden: Sequence[Path] = (),  # folders that no kernel may see: solutions, keys
        secrets: Callable[[], Mapping[str, str]] = dict,
        dies: Callable[[], bool] = lambda: (
            False
        ),  # asked once per run: is it to be killed in its middle?
        at_once: int = 8,  # the others wait, QUEUED
        kept_apart: frozenset[str] | None = None,  # default: what the system allows
    ):
        self.folder, self.hidden, self.secrets, self.dies = folder, hidden, secrets, dies
        self._kept_apart = kept_apart
        self._turn = threading.BoundedSemaphore(at_once)
        self._runs: dict[int, Run] = {}
        self._threads: list[threading.Thread] = []
        self._guard = threading.Lock()

    @property
    def kept_apart(self) -> frozenset[str]:
        "What a kernel has of its own: files, network. Tried out when it is first needed."
        return isolation() if self._kept_apart is None else self._kept_apart

    def start(self, job: Job, done: Callable[[str, str], None]) -> None:
        "Queue a job; `done(status, reason)` is told RUNNING, then COMPLETE, ERROR or CANCEL_ACKNOWLEDGED."
        run = Run(job, done, RunLog(self._log_file(job.session)))
        thread = threading.Thread(
            target=self._run, args=(run,), daemon=True, name=f"kernel {job.session}"
        )
        with self._guard:
            self._runs[job.session] = run
            self._threads = [t for t in self._threads if t.is_alive()] + [thread]
        thread.start()

    def stop(self, session: int, reason: str) -> bool:
        "Cancel a run and wait until it has ended; False if it had ended before."
        run = self._runs.get(session)
        if run is None:
            return False
        run.is_cancelled = True
        self._end(run, reason)
        run.log.wait(lambda: session not in self._runs, _GRACE_S)
        return True

    def close(self) -> None:
        "End all runs."
        for run in list(self._runs.values()):
            self._end(run, "The sandbox was closed while the kernel ran.")
        for thread in self._threads:
            thread.join(timeout=_GRACE_S)

    def end_leftover(self, session: int) -> None:
        "End what a server that was killed may have left running."
        end_marked(self._marker(session))

    def log(self, session: int | None) -> list[dict[str, Any]]:
        "Return what a run has written so far: stream_name, time (s), data."
        return [json.loads(line) for line in self.log_lines(session)]

    def log_lines(self, session: int | None, start: int = 0) -> list[bytes]:
        "Return the whole lines of a log from byte `start` on."
        return lines(self._log_file(session), start)

    def log_end(self, session: int | None) -> list[dict[str, Any]]:
        "Return the last events of a log."
        return last_events(self._log_file(session))

    def _log_file(self, session: int | None) -> Path:
        return self.folder / str(session) / "log.jsonl"

    def wait_for_news(self, session: int, written: int, timeout_s: float) -> int | None:
        "Wait until a run's log is longer than `written` bytes and return its length; None once the run has ended."
        run = self._runs.get(session)
        if run is None:
            return None
        run.log.wait(lambda: run.log.written > written or session not in self._runs, timeout_s)
        return run.log.written if session in self._runs else None

    def _run(self, run: Run) -> None:
        status, reason = "ERROR", ""
        try:
            while not self._turn.acquire(timeout=0.1):
                if run.ended_by:
                    return
            try:
                if not run.ended_by:
                    run.done("RUNNING", "")
                    status, reason = self._execute(run)
            finally:
                self._turn.release()
        except Exception as e:  # whatever happens, the session must not stay RUNNING
            reason = f"The sandbox could not run the kernel: {type(e).__name__}: {e}"
        finally:
            if run.ended_by:
                status, reason = (
                    ("CANCEL_ACKNOWLEDGED" if run.is_cancelled else "ERROR"),
                    run.ended_by,
                )
            for name in TRANSIENT:
                remove(self.folder / str(run.job.session) / name)
            run.done(status, reason)
            self._runs.pop(run.job.session, None)
            run.log.wake()

    def _execute(self, run: Run) -> tuple[str, str]:
        job, box, doomed = run.job, self._prepare(run), self.dies()
        with run.log.opened():
            for line in self._first_lines(job):
                run.log.note("stderr", line)
            if job.language != "python":
                run.log.note(
                    "stderr",
                    f"The sandbox runs Python, and this kernel is written in {job.language!r}.\n",
                )
                return "ERROR", f"The sandbox cannot run {job.language!r}."
            run.process = subprocess.Popen(
                box,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
                env=harmless_variables(),
            )
            reader = threading.Thread(target=run.log.follow, args=(run.process,), daemon=True)
            reader.start()
            if doomed:
                threading.Thread(
                    target=self._kill_in_the_middle, args=(run, run.log.written), daemon=True
                ).start()
            if run.ended_by:  # stopped while it was being started
                self._kill(run)
            try:
                code = run.process.wait(timeout=job.timeout_s)
            except subprocess.TimeoutExpired:
                self._end(
                    run,
                    f"The kernel was stopped because it exceeded its time limit of {job.timeout_s:.0f} s.",
                )
                code = run.process.wait()
            self._kill(run)  # processes it left in the background
            reader.join(timeout=_GRACE_S)
            if run.process.stdin:
                run.process.stdin.close()
            if doomed and not run.ended_by:
                run.ended_by = _DIED
            if run.ended_by:
                run.log.note("stderr", run.ended_by + "\n")
        if code == 0:
            return "COMPLETE", ""
        said = [
            e["data"].strip()
            for e in self.log(job.session)
            if e["stream_name"] == "stderr" and e["data"].strip()
        ]
        return "ERROR", f"Exit status {code}: {said[-1] if said else 'it wrote nothing to stderr'}"[
            :500
        ]

    def _kill_in_the_middle(self, run: Run, written: int) -> None:
        run.log.wait(lambda: run.log.written > written, 2)
        self._end(run, _DIED)

    def _end(self, run: Run, reason: str) -> None:
        run.ended_by = run.ended_by or reason
        self._kill(run)

    def _kill(self, run: Run) -> None:
        if run.process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(run.process.pid, signal.SIGKILL)
            end_marked(self._marker(run.job.session))

    def _marker(self, session: int) -> str:
        "What every process of a run carries in its environment: the name of its container, as at Kaggle."
        return f"kaggle-sandbox-{hashlib.sha256(str(self.folder.resolve()).encode()).hexdigest()[:12]}-{session}"

    def _first_lines(self, job: Job) -> list[str]:
        if not job.internet and "network" not in self.kept_apart:
            return [
                "Internet is off for this kernel, but this system cannot take the network away: on Kaggle a connection fails, here it may work.\n"
            ]
        return []

    def _prepare(self, run: Run) -> list[str]:
        "Lay out the run's folder and return the command that runs it."
        job, at = run.job, self.folder / str(run.job.session)
        own_files = "files" in self.kept_apart
        shutil.rmtree(at, ignore_errors=True)
        for name in ("lib", "src"):
            (at / name).mkdir(parents=True)
        name = "notebook.ipynb" if job.kernel_type == "notebook" else "script.py"
        (at / "src" / name).write_text(job.code, encoding="utf-8")
        shutil.copyfile(_HERE / "notebook_runner.py", at / "lib" / "kernel_main.py")
        shutil.copyfile(_HERE / "kaggle_secrets.py", at / "lib" / "kaggle_secrets.py")
        (at / "lib" / "secrets.json").write_text(json.dumps(dict(self.secrets())), encoding="utf-8")
        inputs = {}
        for number, (place, layers) in enumerate(job.inputs.items()):
            if not own_files:
                lay_over(layers, at / "input" / place, copy=True)
            elif len(layers) > 1 or has_links(layers[0]):
                inputs[place] = str(lay_over(layers, at / "merged" / str(number), copy=False))
            else:
                inputs[place] = str(layers[0].resolve())
        seen = Path("/kaggle") if own_files else at.resolve()
        start = (
            [sys.executable, str(seen / "lib" / "kernel_main.py")]
            if job.kernel_type == "notebook"
            else [sys.executable, "-u"]
        )
        command = [
            *start,
            str(seen / "src" / name),
            *([str(seen / "working")] if job.kernel_type == "notebook" else []),
        ]
        homes = [
            p for p in (Path.home(), Path(pwd.getpwuid(os.getuid()).pw_dir)) if p != Path("/")
        ]  # two where HOME is set to another one
        private = [p.resolve() for p in (self.folder.parent, *self.hidden, *homes)]
        ours = [
            str(Path(__file__).parents[2]),
            str(builtin_folder()),
        ]  # beside each other in a checkout, which may lie in a folder that is hidden
        python = [
            Path(p).resolve()
            for p in (sys.prefix, sys.base_prefix, *sys.path, *ours)
            if os.path.isabs(p) and os.path.isdir(p)
        ]
        return lay_out(
            at,
            dict(
                command=command,
                cwd=str(seen / "working"),
                env=self._environment(job, seen, own_files),
                inputs=inputs,
                hidden=[str(p) for p in private],
                kept=[
                    str(p)
                    for p in dict.fromkeys(python)
                    if p != Path("/tmp") and not any(h.is_relative_to(p) for h in private)
                ],
            ),
            self.kept_apart if not job.internet else self.kept_apart - {"network"},
        )

    def _environment(self, job: Job, seen: Path, own_files: bool) -> dict[str, str]:
        env = harmless_variables()
        env["PATH"] = os.pathsep.join(
            [str(Path(sys.executable).parent), env.get("PATH", os.defpath)]
        )
        temp = "/tmp" if own_files else str(seen / "tmp")
        env |= {
            "HOME": str(seen / "home"),
            "TMPDIR": temp,
            "TMP": temp,
            "TEMP": temp,
            "PYTHONPATH": str(seen / "lib"),
            "PYTHONUNBUFFERED": "1",
            "PYDEVD_DISABLE_FILE_VALIDATION": "1",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_ROOT_USER_ACTION": "ignore",
            "KAGGLE_KERNEL_RUN_TYPE": "Batch",
            "KAGGLE_CACHE_MOUNT_FOLDER": str(seen / "input"),
            "KAGGLE_CONTAINER_NAME": self._marker(job.session),
        }
        if not own_files:  # what pip installs must not stay in the environment of the sandbox
            env |= {"PIP_TARGET": str(seen / "lib")}
        if not job.accelerator:
            env["CUDA_VISIBLE_DEVICES"] = ""
        if job.is_rerun:
            env["KAGGLE_IS_COMPETITION_RERUN"] = "1"
        return env


_DIED = "The kernel died."
