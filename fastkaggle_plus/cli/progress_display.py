"""Live progress of runs and pushes: a bar in a terminal, plain lines when piped."""

from contextlib import AbstractContextManager
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from ..sweeps.eta import Eta
from ..sweeps.trial import Sweep, Trial, TrialResult
from ..workflow.callbacks import PushCallbacks, RunCallbacks
from .display import console, last_line, step_line

_MOST_NAMED = 2  # running trials that the bar names


class RunProgress(RunCallbacks, AbstractContextManager):
    """Show a run: in a terminal a bar with fold, epoch and time left, piped one line per trial."""

    def __init__(self, *, to_stderr: bool = False):
        self.out = console(to_stderr=to_stderr)
        self.bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}", markup=False),
            console=self.out,
            transient=True,
        )
        self.task: Any = None  # of the bar; None when piped
        self.running: dict[str, str] = {}  # trial -> its fold and epoch
        self.eta = Eta(0)
        self.done = self.reused = self.total = 0

    def __exit__(self, *error: object) -> None:
        if self.task is not None:  # stopping a bar that did not start prints an empty line
            self.bar.stop()

    def on_step(self, name: str, detail: str = "") -> None:
        self.out.print(step_line(name, detail), soft_wrap=True)

    def on_sweep_start(self, sweep: Sweep) -> None:
        self.total, self.eta = len(sweep.trials), Eta(len(sweep.trials))
        split = f"{sweep.holdout:.0%} held out" if sweep.holdout else f"{sweep.n_folds} folds"
        self.on_step("trials", f"{self.total} trials, {split}, seed {sweep.seed}")
        if self.out.is_terminal:
            self.bar.start()
            self.task = self.bar.add_task("", total=self.total, left="")

    def on_trial_start(self, trial: Trial) -> None:
        self.running[trial.name] = ""
        self.eta.start(trial.name)
        self._update_bar()

    def on_trial_progress(self, trial: Trial, share: float, detail: str) -> None:
        self.running[trial.name] = detail
        self.eta.update(trial.name, share)
        self._update_bar()

    def on_trial_end(self, result: TrialResult) -> None:
        self.done += 1
        self.reused += result.reused
        self.running.pop(result.name, None)
        self.eta.end(result.name)
        if not result.reused:
            count = f"[{self.done:>2}/{self.total}]"
            line = f"  {count} {result.name:<32} {_result_text(result)}"
            self.out.print(line, soft_wrap=True)
        if self.done == self.total and self.reused:
            self.on_step(
                "", f"{self.reused} of {self.total} trials were already in the vault: not run again"
            )
        self._update_bar()

    def _update_bar(self) -> None:
        if self.task is None:
            return
        named = list(self.running.items())[:_MOST_NAMED]
        running = "; ".join(f"{name}: {detail}" if detail else name for name, detail in named)
        left_s = self.eta.left_s
        self.bar.update(
            self.task,
            completed=self.done + self.eta.done,
            description=running or "trials",
            left="" if left_s is None else f"ETA {clock(left_s)}",
        )
        if self.done == self.total:
            self.bar.stop()


class PushProgress(PushCallbacks, AbstractContextManager):
    """Show the steps of a push, and what the notebook prints, line by line."""

    shows_log = True

    def __init__(self, *, to_stderr: bool = False):
        self.out = console(to_stderr=to_stderr)
        self.unfinished = ""  # the part of the log after its last line break

    def __exit__(self, *error: object) -> None:
        self._flush()

    def on_step(self, name: str, detail: str = "") -> None:
        self._flush()
        self.out.print(step_line(name, detail), soft_wrap=True)

    def on_log(self, text: str) -> None:
        *lines, self.unfinished = (self.unfinished + text).split("\n")
        for line in lines:
            self._print_log(line)

    def _flush(self) -> None:
        if self.unfinished:
            self._print_log(self.unfinished)
        self.unfinished = ""

    def _print_log(self, line: str) -> None:
        last_state = line.rsplit("\r", 1)[-1]  # a progress bar rewrites its line
        self.out.print(Text.from_ansi(f"  | {last_state}"), soft_wrap=True)


def clock(seconds: float) -> str:
    """Return a duration as h:mm:ss, or m:ss below an hour."""
    minutes, s = divmod(round(seconds), 60)
    hours, m = divmod(minutes, 60)
    return f"{hours}:{m:02}:{s:02}" if hours else f"{m}:{s:02}"


def _result_text(result: TrialResult) -> str:
    if result.not_run:
        return result.error
    preds = result.predictions
    if preds is None:
        return f"failed: {last_line(result.error)}"
    return f"{preds.oof_score:.4f} ± {preds.oof_score_se:.4f}  {preds.seconds_s:6.1f} s"
