"""Who hears what a run or a push does, while it does it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..sweeps.board import TrialResult
    from ..sweeps.trial import Sweep, Trial


class Watcher:
    "Hears what the loop does; the base class keeps quiet."

    def step(self, name: str, detail: str = "") -> None:
        "A step of the loop ended."

    def sweep_starts(self, sweep: Sweep) -> None:
        "The trials are about to run."

    def trial_starts(self, trial: Trial) -> None:
        "A trial is about to run."

    def trial_progress(self, trial: Trial, share: float, detail: str) -> None:
        "A share of a running trial is done, from 0 to 1; `detail` says where it is, as in fold 2/5, epoch 3/8."

    def trial_ends(self, result: TrialResult) -> None:
        "A trial ended, was found in the vault, or is beyond the budget."


class PushWatcher(Watcher):
    "Hears what a push does; the base class keeps quiet."

    shows_log = False  # whether the user has seen what it was told of the log

    def log(self, text: str) -> None:
        "The notebook on Kaggle printed something, not always a whole line."
