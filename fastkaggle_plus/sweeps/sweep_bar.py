"""The progress of a sweep: the running trials with place, fold and epoch, and the time left.

It is shown as a bar, and written to a file that `fkp board --watch` reads.
"""

import contextlib
import functools
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from ..files import write_atomically
from ..ui import open_display
from ..ui.displays import Display
from .eta import Eta
from .trial import Trial, TrialResult

_MOST_NAMED = 2  # running trials that the bar names

P = ParamSpec("P")
R = TypeVar("R")


class SweepBar:
    """Moves the bar of a display as trials start, report progress and end."""

    def __init__(self, display: Display, n_trials: int, *, most_named: int = _MOST_NAMED):
        self.display, self.total, self.done = display, n_trials, 0
        self.most_named = most_named
        self.running: dict[str, str] = {}  # trial -> its place, fold and epoch
        self.eta = Eta(n_trials)

    def on_start(self, trial: Trial) -> None:
        """A trial starts."""
        self.running[trial.name] = ""
        self.eta.start(trial.name)
        self._show()

    def on_progress(self, trial: Trial, share: float, detail: str) -> None:
        """A running trial reports its progress."""
        self.running[trial.name] = detail
        self.eta.update(trial.name, share)
        self._show()

    def on_result(self, result: TrialResult) -> None:
        """A trial ended."""
        self.done += 1
        self.running.pop(result.name, None)
        self.eta.end(result.name)
        if self.done == self.total:
            self.display.hide_bar()
        else:
            self._show()

    def _show(self) -> None:
        named = [f"{k}: {v}" if v else k for k, v in self.running.items()]
        more = len(named) - self.most_named
        named[self.most_named :] = [f"{more} more"] if more > 0 else []
        share = (self.done + self.eta.done) / self.total
        label = f"{self.done}/{self.total} trials  {'; '.join(named)}".rstrip()
        self.display.bar(share, label, self.eta.left_s)


class ProgressFile(Display):
    """A file with the bar of a running sweep, for other processes."""

    def __init__(self, vault: Path):
        self.path = vault / "progress.json"

    def bar(self, share: float, label: str, left_s: float | None) -> None:
        bar = {"share": share, "label": label, "left_s": left_s, "time_s": time.time()}
        with contextlib.suppress(OSError):  # as a full disk: the results are more important
            write_atomically(self.path, json.dumps(bar))

    def hide_bar(self) -> None:
        self.path.unlink(missing_ok=True)

    def read(self) -> tuple[float, str, float | None] | None:
        """Return the arguments of the last call of `bar`; None if no sweep shows one."""
        try:
            bar = json.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        left_s = bar["left_s"] and max(bar["left_s"] - (time.time() - bar["time_s"]), 0.0)
        return bar["share"], bar["label"], left_s


def with_bar(run: Callable[P, R]) -> Callable[P, R]:
    """Write the progress of a function that runs a sweep to the vault's file.

    Give it a bar too, unless the caller shows its progress.
    """

    @functools.wraps(run)
    def run_with_bar(*args: Any, **kwargs: Any) -> R:
        sweep: Any = next(iter([*args, *kwargs.values()]))  # or a Search, which has n_trials too
        n_trials = sweep.n_trials
        with contextlib.ExitStack() as stack:
            file = ProgressFile(kwargs["vault"].folder)
            stack.callback(file.hide_bar)
            bars = [SweepBar(file, n_trials, most_named=n_trials)]
            if not kwargs.get("on_progress"):
                display = stack.enter_context(open_display())
                bars.append(SweepBar(display, n_trials))
                kwargs.setdefault("on_step", lambda *step: display.line(": ".join(step)))
            for name in ("on_start", "on_progress", "on_result"):
                calls = [getattr(bar, name) for bar in bars]
                kwargs[name] = _all(*calls, kwargs.get(name))
            return run(*args, **kwargs)

    return run_with_bar


def _all(*calls: Callable[..., None] | None) -> Callable[..., None]:
    def call(*values: Any) -> None:
        for one in filter(None, calls):
            one(*values)

    return call
