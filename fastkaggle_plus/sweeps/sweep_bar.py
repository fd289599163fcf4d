"""The progress bar of a sweep: the running trials with fold and epoch, and the time left."""

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from ..ui import open_display
from ..ui.displays import Display
from .eta import Eta
from .trial import Trial, TrialResult

_MOST_NAMED = 2  # running trials that the bar names

P = ParamSpec("P")
R = TypeVar("R")


class SweepBar:
    """Moves the bar of a display as trials start, report progress and end."""

    def __init__(self, display: Display, n_trials: int):
        self.display, self.total, self.done = display, n_trials, 0
        self.running: dict[str, str] = {}  # trial -> its fold and epoch
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
        named = list(self.running.items())[:_MOST_NAMED]
        running = "; ".join(f"{name}: {detail}" if detail else name for name, detail in named)
        share = (self.done + self.eta.done) / self.total
        label = f"{self.done}/{self.total} trials  {running}".rstrip()
        self.display.bar(share, label, self.eta.left_s)


def with_bar(run: Callable[P, R]) -> Callable[P, R]:
    """Give a function that runs a sweep a bar, unless the caller shows its progress."""

    @functools.wraps(run)
    def run_with_bar(*args: Any, **kwargs: Any) -> R:
        sweep: Any = next(iter([*args, *kwargs.values()]))  # or a Search, which has n_trials too
        if kwargs.get("on_progress"):
            return run(*args, **kwargs)
        with open_display() as display:
            bar = SweepBar(display, sweep.n_trials)
            for name in ("on_start", "on_result"):
                kwargs[name] = _both(getattr(bar, name), kwargs.get(name))
            return run(*args, **{**kwargs, "on_progress": bar.on_progress})

    return run_with_bar


def _both(first: Callable[[Any], None], second: Any) -> Callable[[Any], None]:
    def call(value: Any) -> None:
        first(value)
        if second is not None:
            second(value)

    return call
