"""fastai's Learner without printed output or a validation set, and fastai imported quietly."""

import warnings
from collections.abc import Callable
from importlib import import_module
from itertools import count
from typing import Any

import numpy as np

from ..exceptions import needs_extra
from . import epochs, progress
from .model import Fitted


def import_fastai(
    part: str,  # tabular | vision | text: the extra that installs it has the same name
) -> Any:
    """Return `fastai.PART.all`, imported without deprecation warnings. Raises MissingExtra."""
    with needs_extra(part), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return import_module(f"fastai.{part}.all")


class ShuffledBatches:
    """The order of a loader of shuffled batches; like fastai it leaves out a last, smaller one."""

    def __init__(self, n: int, bs: int):
        self.rows = np.resize(np.arange(n), max(2, n))  # batch norm needs two
        self.bs = int(min(bs, len(self.rows)))  # torch takes no numpy integer

    def __len__(self) -> int:
        return len(self.rows) // self.bs

    def shuffled(self) -> list[Any]:
        """Return the places in `rows` of each batch, as tensors."""
        import torch

        return list(torch.randperm(len(self.rows)).split(self.bs))[: len(self)]


def quiet_learner(
    fastai: Any,  # from `import_fastai`
    batches: Any,  # a loader of training batches (input, target, ...)
    net: Any,
    loss: Any,
    *,
    n_epochs: int,  # of all fits together, for the progress reports
    fitted: Callable[[], Fitted],  # returns the net as it is now, to validate it
    n_inputs: int | None = None,  # tensors of a batch that are inputs; None: all but the last
    **settings: Any,  # more arguments of Learner
) -> Any:
    """Return a Learner that prints nothing and reports each epoch to the progress callback."""
    no_rows: list[Any] = []  # nothing to validate on: cross-validation does that
    dls = fastai.DataLoaders(batches, no_rows)
    if n_inputs:
        dls.n_inp = n_inputs
    learn = fastai.Learner(dls, net, loss, **settings)
    printing = (fastai.ProgressCallback, fastai.Recorder)
    learn.remove_cbs([cb for cb in learn.cbs if isinstance(cb, printing)])
    done = count(1)  # over all fits
    losses: list[Any] = []

    def after_epoch(callback: Any) -> None:
        if hasattr(callback.learn, "lr_finder"):  # these are not epochs of the training
            losses.clear()
            return
        epoch = next(done)
        progress.report_epoch(epoch, n_epochs)
        if epochs.are_shown():
            net.eval()  # fastai sets it back to training
            epochs.report(f"{epoch}/{n_epochs}", losses, fitted())
        losses.clear()

    def after_batch(callback: Any) -> None:
        losses.append(callback.learn.loss.detach())

    shown = {"after_batch": after_batch} if epochs.are_shown() else {}
    learn.add_cb(fastai.Callback(after_epoch=after_epoch, **shown))
    return learn
