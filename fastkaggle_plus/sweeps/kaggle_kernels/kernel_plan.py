"""The plan of a sweep on Kaggle: its kernels, their minutes, and the hours before and after."""

import math
from collections import Counter
from dataclasses import dataclass

from ...ui.records import Shown
from .packing import Load


@dataclass(frozen=True, repr=False)
class KernelPlan(Shown):
    """What will be sent."""

    prefix: str  # of the kernels' names
    gpu: bool
    loads: tuple[Load, ...]
    expected_s: float  # billed, of all kernels
    n_kernels: int  # at a time
    left_s: float  # before, of this week's accelerator hours and of the budget; inf: no limit
    sources: Counter[str]  # of the forecasts, their number
    not_run: tuple[str, ...] = ()  # trials that do not fit
    n_running: int = 0  # kernels of an earlier call

    def _facts(self) -> dict[str, object]:
        return {**self.as_facts()}

    def as_facts(self) -> dict[str, str]:
        """Return the facts to show before anything is sent, by name."""
        n_trials = sum(len(load.trials) for load in self.loads)
        sources = ", ".join(f"{n} {source}" for source, n in self.sources.most_common())
        facts = {
            "trials": f"{n_trials} in {_count(len(self.loads), 'kernel')} named {self.prefix}*, "
            f"{self.n_kernels} at a time",
            "machine": "GPU T4 x2, a trial on each card" if self.gpu else "CPU",
            "minutes": f"{self.expected_s / 60:.1f} expected, from: {sources or 'nothing'}",
        }
        for i, load in enumerate(self.loads, 1):
            names = ", ".join(load.trials[:4]) + (", ..." if len(load.trials) > 4 else "")
            count = _count(len(load.trials), "trial")
            facts[f"kernel {i}"] = f"{count}, {load.busy_s / 60:.1f} min: {names}"
        if math.isfinite(self.left_s):
            after_s = self.left_s - self.expected_s
            facts["hours left"] = f"{self.left_s / 3600:.2f} before, {after_s / 3600:.2f} after"
        if self.n_running:
            facts["running"] = f"{_count(self.n_running, 'kernel')} of an earlier command"
        if self.not_run:
            facts["not run"] = f"{', '.join(self.not_run)}: too few hours are left for them"
        return facts


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
