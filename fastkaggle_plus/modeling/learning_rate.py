"""lr_find: train a net for some steps at growing rates, and suggest a learning rate."""

import contextlib
import tempfile
import warnings
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..data import Data, Table
from ..exceptions import ConfigError
from ..ui.records import Shown
from .hyperparameters import check_whole
from .model import Array, Model

_LEAST_STEPS = 20  # fastai drops the first tenth and the last five

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
    model: Model,  # a net that trains with fastai's Learner
    data: Data | Table,  # Data: its training rows
    *,
    start_lr: float = 1e-7,
    end_lr: float = 10.0,
    num_it: int = 100,  # steps; it ends earlier where the loss explodes
) -> LearningRates:
    """Return the learning rates that suit a net, as fastai's `Learner.lr_find`.

    The net is made and trained as in a fit: what is frozen at the first step stays frozen. Raises
    ConfigError for a model that does not train with a fastai Learner, and for too few steps.
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
        f"Cannot find a learning rate for {model.name}: expected a net that trains with fastai's "
        "Learner, as vision_model, got another model. Set its learning rate by hand."
    )


def stop_at_rates(learn: Any) -> None:
    """End the fit here if `lr_find` runs it. Call it before the first step."""
    if (settings := _RANGE.get()) is not None:
        raise _Found(find_rates(learn, **settings))


def find_rates(learn: Any, **settings: Any) -> LearningRates:
    """Run fastai's finder on a Learner, which has its weights from before again afterwards.

    `settings` are those of `lr_find`.
    """
    from fastai.callback.schedule import slide, valley
    from fastai.learner import Recorder

    path = learn.path
    with contextlib.ExitStack() as block:
        folder = block.enter_context(tempfile.TemporaryDirectory())
        block.enter_context(learn.added_cbs(Recorder()))
        block.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore", DeprecationWarning)  # of fastai's own code
        learn.path = Path(folder)  # fastai saves the weights here
        found = learn.lr_find(suggest_funcs=(valley, slide), show_plot=False, **settings)
        lrs, losses = np.array(learn.recorder.lrs), np.array(learn.recorder.losses)
    learn.path = path
    return LearningRates(found.valley, found.slide, lrs, losses)


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
