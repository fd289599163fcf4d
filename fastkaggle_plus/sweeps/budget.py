"""What a sweep may cost: trials, epochs, and the clock, which only stops further starts."""

from __future__ import annotations

import inspect
import time
from typing import Any

from ..competition import Competition
from ..exceptions import ConfigError, FastkaggleError
from .trial import Sweep, Trial


class Budget:
    "What is left of it; each trial asks before it starts."

    def __init__(
        self,
        sweep: Sweep,
        comp: Competition,
        *,
        max_trials: int | None = None,  # trials started, what the vault holds not counted
        max_epochs: int | None = None,  # their epochs on all folds
        stop_after_s: float | None = None,  # seconds from now after which nothing more starts
    ):
        for name, limit in (
            ("max_trials", max_trials),
            ("max_epochs", max_epochs),
            ("stop_after_s", stop_after_s),
        ):
            if limit is not None and limit < 0:
                raise ConfigError(
                    f"{name} = {limit}: a budget is 0 or more. Leave it out for no limit."
                )
        self.comp, self.n_fits = comp, 1 if sweep.holdout else sweep.n_folds
        self.max_trials, self.max_epochs, self.stop_after_s = max_trials, max_epochs, stop_after_s
        self.trials, self.epochs, self.start = 0, 0, time.monotonic()

    def take(self, trial: Trial) -> str:
        "Count a trial in, or return why it does not start."
        if self.max_trials is not None and self.trials >= self.max_trials:
            return f"not run: the budget of {self.max_trials} trials is used"
        if self.stop_after_s is not None and time.monotonic() - self.start >= self.stop_after_s:
            return f"not run: the {self.stop_after_s:.0f} s after which nothing more starts have passed"
        if self.max_epochs is not None:
            cost = epochs_of(trial, self.comp) * self.n_fits
            if cost > (left := self.max_epochs - self.epochs):
                return f"not run: it needs {cost} epochs on {self.n_fits} fold{'s'[: self.n_fits - 1]}, and the budget of {self.max_epochs} has {left} left"
            self.epochs += cost
        self.trials += 1
        return ""


def epochs_of(trial: Trial, comp: Competition) -> int:
    "Return the epochs of one fit, frozen ones included; 0 for a model that has none, or that is not found: its own trial says so."
    return _epochs(trial.model, trial.params, comp)


def _epochs(model: str, params: dict[str, Any], comp: Competition) -> int:
    given = {**defaults_of(model, comp), **params}
    if isinstance(given.get("model"), str):  # a bag names what it repeats
        return int(given.get("n") or 1) * _epochs(given["model"], given.get("params") or {}, comp)
    return sum(
        int(given[name] or 0)
        for name in ("epochs", "freeze_epochs")
        if isinstance(given.get(name), (int, float))
    )


def defaults_of(model: str, comp: Competition) -> dict[str, Any]:
    "Return the parameters of a model's function with their defaults (None: it has none); {} where it is not found."
    from ..modeling import find_model

    try:
        signature = inspect.signature(find_model(model, comp))
    except (FastkaggleError, ImportError, ValueError):
        return {}
    return {
        p.name: None if p.default is p.empty else p.default for p in signature.parameters.values()
    }
