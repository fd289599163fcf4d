"""Progress callbacks for runs and pushes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..sweeps.trial import Sweep, Trial, TrialResult


class RunCallbacks:
    """Called at each step of a run or a sweep. Override what you need: each does nothing."""

    def on_step(self, name: str, detail: str = "") -> None:
        """A step finished."""

    def on_sweep_start(self, sweep: Sweep) -> None:
        """The trials are about to start. A search makes `n_trials`, which are not in it yet."""

    def on_trial_start(self, trial: Trial) -> None:
        """A trial is about to start."""

    def on_trial_progress(self, trial: Trial, share: float, detail: str) -> None:
        """A running trial made progress: `share` is 0 to 1, `detail` as in fold 2/5, epoch 3/8."""

    def on_trial_end(self, result: TrialResult) -> None:
        """A trial finished, was already in the vault, or exceeded the budget."""


class PushCallbacks(RunCallbacks):
    """Called at each step of a push. Override what you need."""

    shows_log = False  # True if the user sees the log; then an error does not repeat its end

    def on_log(self, text: str) -> None:
        """The notebook on Kaggle printed `text`, which may end in the middle of a line."""
