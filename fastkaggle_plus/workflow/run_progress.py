"""Show the progress of runs and pushes, in Python, in a notebook and on the command line."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from ..exceptions import last_line
from ..ui import open_display
from .callbacks import PushCallbacks, RunCallbacks

if TYPE_CHECKING:
    from ..sweeps.trial import Sweep, Trial, TrialResult

P = ParamSpec("P")
R = TypeVar("R")


class _OnDisplay(contextlib.ExitStack):
    """Opens a display for the block."""

    def __init__(self, *, to_stderr: bool = True):
        super().__init__()
        self.to_stderr = to_stderr

    def __enter__(self) -> Any:
        self.display = self.enter_context(open_display(to_stderr=self.to_stderr))
        return super().__enter__()

    def on_step(self, name: str, detail: str = "") -> None:
        self.display.line(step_line(name, detail))


class RunProgress(_OnDisplay, RunCallbacks):
    """Show a run: a line for each step and trial, and a bar with fold, epoch and time left."""

    def on_sweep_start(self, sweep: Sweep) -> None:
        from ..sweeps.sweep_bar import SweepBar

        self.total, self.done, self.reused = sweep.n_trials, 0, 0
        self.bar = SweepBar(self.display, self.total)
        split = f"{sweep.holdout:.0%} held out" if sweep.holdout else f"{sweep.n_folds} folds"
        self.on_step("trials", f"{self.total} trials, {split}, seed {sweep.seed}")

    def on_trial_start(self, trial: Trial) -> None:
        self.bar.on_start(trial)

    def on_trial_progress(self, trial: Trial, share: float, detail: str) -> None:
        self.bar.on_progress(trial, share, detail)

    def on_trial_end(self, result: TrialResult) -> None:
        self.done += 1
        self.reused += result.reused
        if not result.reused:
            count = f"[{self.done:>2}/{self.total}]"
            self.display.line(f"  {count} {result.name:<32} {_result_text(result)}")
        self.bar.on_result(result)
        if self.done == self.total and self.reused:
            found = f"{self.reused} of {self.total} trials"
            self.on_step("", f"{found} were already in the vault: not run again")


class PushProgress(_OnDisplay, PushCallbacks):
    """Show the steps of a push, and what the notebook prints, line by line."""

    shows_log = True
    unfinished = ""  # the part of the log after its last line break

    def __exit__(self, *error: Any) -> bool | None:
        self._flush()
        return super().__exit__(*error)

    def on_step(self, name: str, detail: str = "") -> None:
        self._flush()
        super().on_step(name, detail)

    def on_log(self, text: str) -> None:
        *lines, self.unfinished = (self.unfinished + text).split("\n")
        for line in lines:
            self._show_log(line)

    def _flush(self) -> None:
        if self.unfinished:
            self._show_log(self.unfinished)
        self.unfinished = ""

    def _show_log(self, line: str) -> None:
        last_state = line.rsplit("\r", 1)[-1]  # a progress bar rewrites its line
        self.display.line(f"  | {last_state}", ansi=True)


def with_progress(shown: Callable[[], Any]) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a function show its progress with `shown`, unless the caller gives `callbacks`."""

    def decorate(work: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(work)
        def work_with_progress(*args: Any, **kwargs: Any) -> R:
            if kwargs.get("callbacks"):
                return work(*args, **kwargs)
            with shown() as progress:
                return work(*args, **{**kwargs, "callbacks": progress})

        return work_with_progress

    return decorate


def step_line(name: str, detail: str) -> str:
    """Return one line: the name of a step in a column, then its result."""
    return f"{name:<10}{detail}"


def _result_text(result: TrialResult) -> str:
    if result.not_run:
        return result.error
    preds = result.predictions
    if result.is_pruned:
        return str(result.as_row()["note"])
    if preds is None:
        return f"failed: {last_line(result.error)}"
    return f"{preds.oof_score:.4f} ± {preds.oof_score_se:.4f}  {preds.seconds_s:6.1f} s"
