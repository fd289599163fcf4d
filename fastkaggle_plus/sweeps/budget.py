"""The budget of a sweep: trials, epochs, and the time after which no further trial starts."""

import math
import time
from typing import Any

from ..competition import Competition
from ..exceptions import ConfigError, FastkaggleError
from ..folds import is_refit
from .trial import Sweep, Trial


class Budget:
    """Counts the trials that start, and refuses those that exceed a limit. None means no limit."""

    def __init__(
        self,
        sweep: Sweep,
        comp: Competition,
        *,
        max_trials: int | None = None,  # trials started; those found in the vault do not count
        max_epochs: int | None = None,  # epochs of all trials on all folds
        stop_after_s: float | None = None,  # seconds from now after which no trial starts
    ):
        limits = dict(max_trials=max_trials, max_epochs=max_epochs, stop_after_s=stop_after_s)
        for name, limit in limits.items():
            if limit is not None and limit < 0:
                raise ConfigError(
                    f"Invalid budget: expected {name} of 0 or more, got {name} = {limit}. "
                    "Leave it out for no limit."
                )
        self.comp, n_folds = comp, 1 if sweep.holdout else sweep.n_folds
        refits = is_refit(sweep.test, comp.split.kind)
        self.n_fits = n_folds + refits
        self.fits = ("1 fold" if n_folds == 1 else f"{n_folds} folds") + " and a refit" * refits
        self.max_trials, self.max_epochs, self.stop_after_s = max_trials, max_epochs, stop_after_s
        self.trials, self.epochs, self.start = 0, 0, time.monotonic()

    @property
    def left_s(self) -> float:
        """The seconds in which trials may start."""
        if self.stop_after_s is None:
            return math.inf
        return self.stop_after_s - (time.monotonic() - self.start)

    @property
    def is_limited(self) -> bool:
        """Whether some trials may not run: then the declared order decides which."""
        limits = (self.max_trials, self.max_epochs, self.stop_after_s)
        return any(limit is not None for limit in limits)

    def refuse(self, trial: Trial) -> str:
        """Say why a trial must not start; return an empty string, and count it, when it may."""
        if self.max_trials is not None and self.trials >= self.max_trials:
            return f"not run: the budget of {self.max_trials} trials is used"
        if self.left_s <= 0:
            return f"not run: no trial starts after {self.stop_after_s:.0f} s"
        if self.max_epochs is not None:
            cost = epochs_of(trial.model, trial.params, self.comp) * self.n_fits
            left = self.max_epochs - self.epochs
            if cost > left:
                return (
                    f"not run: it needs {cost} epochs on {self.fits}, "
                    f"and the budget of {self.max_epochs} has {left} left"
                )
            self.epochs += cost
        self.trials += 1
        return ""


def epochs_of(model: str, params: dict[str, Any], comp: Competition) -> int:
    """Return the epochs of one fit of a trial's model, including epochs on frozen layers.

    A model that has no epochs, or that is not found, counts as 0.
    """
    params = {**default_params(model, comp), **params}
    if isinstance(params.get("model"), str):  # a bag, which repeats this model n times
        n = int(params.get("n") or 1)
        return n * epochs_of(params["model"], params.get("params") or {}, comp)
    counts = (params.get(name) for name in ("epochs", "freeze_epochs"))
    return sum(int(n) for n in counts if isinstance(n, (int, float)))


def gpu_hours(used_s: float, limit_s: float | None = None) -> str:
    """Return a time on GPUs as people pay for it, as in 1.4 of 30.0 GPU hours used, 28.6 left."""
    used = used_s / 3600
    if limit_s is None:
        return f"{used:.2f} GPU hours used"
    limit = limit_s / 3600
    return f"{used:.1f} of {limit:.1f} GPU hours used, {limit - used:.1f} left"


def default_params(model: str, comp: Competition) -> dict[str, Any]:
    """Return the defaults of a model's function, None for no default; empty if it is not found."""
    from ..modeling import registry

    try:
        return registry.default_params(model, comp)
    except (FastkaggleError, ImportError, ValueError):
        return {}
