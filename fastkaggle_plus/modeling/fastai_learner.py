"""fastai's Learner without printed output, and fastai imported quietly."""

import warnings
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import numpy as np

from ..exceptions import needs_extra
from . import epochs, progress
from .fastai_callbacks import saved_epoch, why_stopped
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
    cbs: Sequence[Any] = (),  # callbacks that the user asks for
    valid: Any = None,  # a loader of batches to validate on, for such callbacks
    **settings: Any,  # more arguments of Learner
) -> Any:
    """Return a Learner that prints nothing, and reports each epoch: see progress and epochs."""
    dls = fastai.DataLoaders(batches, [] if valid is None else valid)
    if n_inputs:
        dls.n_inp = n_inputs
    learn = fastai.Learner(dls, net, loss, **settings)
    learn.logger = fastai.noop
    unused = (fastai.ProgressCallback,) if cbs else (fastai.ProgressCallback, fastai.Recorder)
    learn.remove_cbs([cb for cb in learn.cbs if isinstance(cb, unused)])
    learn.add_cbs([_reporter(fastai, n_epochs, fitted), *cbs])
    return learn


def _reporter(fastai: Any, n_epochs: int, fitted: Callable[[], Fitted]) -> Any:
    """Return the callback that reports epochs. The steps of `lr_find` are no epochs."""
    done, losses = 0, list[Any]()  # epochs over all fits; the losses of the last one

    def after_batch(callback: Any) -> None:
        if not hasattr(callback.learn, "lr_finder"):
            losses.append(callback.learn.loss.detach())

    def after_epoch(callback: Any) -> None:
        nonlocal done
        if hasattr(callback.learn, "lr_finder"):
            return
        done += 1
        progress.report_epoch(done, n_epochs)
        if epochs.are_due(done, n_epochs):
            callback.learn.model.eval()  # fastai sets it back to training
            epochs.report(done, n_epochs, losses, fitted())
        losses.clear()

    def after_cancel_fit(callback: Any) -> None:
        is_search = hasattr(callback.learn, "lr_finder")
        if not is_search and (why := why_stopped(callback.learn)):
            saved = saved_epoch(callback.learn)
            before = done - len(callback.learn.recorder.values)  # epochs of earlier fits
            epochs.report_stop(done, n_epochs, why, kept=saved and before + saved)

    reporter = fastai.Callback(
        after_batch=after_batch, after_epoch=after_epoch, after_cancel_fit=after_cancel_fit
    )
    reporter.run_valid = False
    return reporter
