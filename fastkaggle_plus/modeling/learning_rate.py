"""lr_find: train a net for some steps at growing rates, and suggest a learning rate."""

import contextlib
import warnings
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..data import Data, Table
from ..exceptions import ConfigError
from ..ui.records import Shown
from .fastai_callbacks import in_temporary_folder
from .fastai_learner import import_fastai
from .hyperparameters import check_whole
from .model import Array, Model

_LEAST_STEPS = 20  # fastai drops the first tenth and the last five
_LEAST_READ = 3  # steps that the rules need
_SMOOTHING = 0.98  # of the losses, and
_EXPLODED = 4  # times the lowest loss: both as in fastai

_RANGE: ContextVar[dict[str, Any] | None] = ContextVar("lr_range", default=None)


@dataclass(frozen=True, repr=False)
class LearningRates(Shown):
    """The losses at growing learning rates, and the rates that two rules suggest."""

    valley: float  # in the longest slope down; the better choice for most nets
    slide: float  # before the losses begin to grow; larger
    lrs: Array  # (n_steps,)
    losses: Array  # (n_steps,) smoothed over the steps

    def _facts(self) -> dict[str, object]:
        return {
            "valley": f"{self.valley:.2g}",
            "slide": f"{self.slide:.2g}",
            "plot": "plot_lr_find(...) of fastkaggle_plus.reporting",
        }


def lr_find(
    model: Model,  # a net: of images, tables or texts, TabM, or one from scratch
    data: Data | Table,  # Data: its training rows
    *,
    start_lr: float = 1e-7,
    end_lr: float = 10.0,
    num_it: int = 100,  # steps; it ends earlier where the loss explodes
) -> LearningRates:
    """Return the learning rates that suit a net, as fastai's `Learner.lr_find`.

    The net is made and trained as in a fit: what is frozen at the first step stays frozen. Raises
    ConfigError for a model that is no net, and for too few steps.
    Source: Smith 2015, Cyclical learning rates for training neural networks.
    """
    check_whole(_LEAST_STEPS, num_it=num_it)
    table = data.fold(np.arange(len(data.train)), None)[0] if isinstance(data, Data) else data
    with _asked(start_lr=start_lr, end_lr=end_lr, num_it=num_it):
        try:
            model.fit(table)
        except _Found as e:
            return e.rates
    raise ConfigError(
        f"Cannot find a learning rate for {model.name}: expected a net, as vision_model, "
        "tabular_model or text_model, got another model. Set its learning rate by hand."
    )


def stop_at_rates(learn: Any) -> None:
    """End the fit here if `lr_find` runs it. Call it before the first step of a Learner."""
    if (settings := _RANGE.get()) is not None:
        raise _Found(find_rates(learn, **settings))


def stop_at_steps(
    step: Callable[[float], float],  # takes an optimizer step at a rate, and returns the loss
) -> None:
    """End the fit here if `lr_find` runs it. For a net that trains without fastai's Learner."""
    if (settings := _RANGE.get()) is not None:
        raise _Found(_rates_of(step, **settings))


def find_rates(learn: Any, *, num_it: int = 100, **settings: Any) -> LearningRates:
    """Run fastai's finder on a Learner, which has its weights from before again afterwards.

    `settings` are those of `lr_find`.
    """
    from fastai.learner import Recorder

    with contextlib.ExitStack() as block:
        block.enter_context(in_temporary_folder(learn))  # fastai saves the weights here
        if not hasattr(learn, "recorder"):
            block.enter_context(learn.added_cbs(Recorder()))
        learn.lr_find(num_it=num_it, suggest_funcs=None, show_plot=False, **settings)
        lrs, losses = np.array(learn.recorder.lrs), np.array(learn.recorder.losses)
    return _suggested(lrs, losses, num_it)


def _rates_of(
    step: Callable[[float], float], *, start_lr: float, end_lr: float, num_it: int
) -> LearningRates:
    """Take steps at growing rates, as fastai's finder does."""
    lrs, losses, mean = np.geomspace(start_lr, end_lr, num_it), list[float](), 0.0
    for i, lr in enumerate(lrs, 1):
        mean = _SMOOTHING * mean + (1 - _SMOOTHING) * step(float(lr))
        losses.append(mean / (1 - _SMOOTHING**i))
        if not losses[-1] <= _EXPLODED * min(losses):  # also NaN
            break
    return _suggested(lrs[: len(losses)], np.array(losses), num_it)


def _suggested(lrs: Array, losses: Array, num_it: int) -> LearningRates:
    """Apply fastai's rules to the steps that its `lr_find` reads. Raises ConfigError."""
    fastai = import_fastai("tabular")
    read = np.arange(num_it // 10, max(len(lrs) - 5, 0))
    read = read[np.cumsum(np.isnan(losses[read])) == 0]
    if len(read) < _LEAST_READ:
        raise ConfigError(
            f"The loss exploded after {len(lrs)} of {num_it} steps, at the learning rate "
            f"{lrs[-1]:.2g}: too early to suggest one. Give a smaller start_lr."
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of fastai's own code
        steps = fastai.tensor(lrs[read]), fastai.tensor(losses[read]), num_it
        rates = [rule(*steps) for rule in (fastai.valley, fastai.slide)]
    (valley, _), (slide, _) = rates
    return LearningRates(valley, slide, lrs, losses)


class _Found(Exception):
    """Ends a fit that `lr_find` runs."""

    def __init__(self, rates: LearningRates):
        self.rates = rates


@contextlib.contextmanager
def _asked(**settings: Any) -> Iterator[None]:
    token = _RANGE.set(settings)
    try:
        yield
    finally:
        _RANGE.reset(token)
