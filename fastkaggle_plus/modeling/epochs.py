"""The epoch table of nets: losses and metric after each epoch, if `cross_validate` asks."""

import contextlib
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field

import numpy as np

from ..data import Table
from ..metrics import Metric
from .model import Array, Fitted

ShowRow = Callable[[dict[str, str]], None]

_SHOW: ContextVar[ShowRow | None] = ContextVar("show_epoch", default=None)
_ROWS: ContextVar["_ValidationRows | None"] = ContextVar("validation_rows", default=None)


@contextlib.contextmanager
def epoch_table(show: ShowRow) -> Iterator[None]:
    """Call `show` with a row of the table after each epoch of the block."""
    token = _SHOW.set(show)
    try:
        yield
    finally:
        _SHOW.reset(token)


@contextlib.contextmanager
def validated_on(table: Table, metric: Metric, fold: str) -> Iterator[None]:
    """Compute the rows of the block's epochs on these validation rows."""
    show = _SHOW.get()
    token = _ROWS.set(show and _ValidationRows(table, metric, fold, show))
    try:
        yield
    finally:
        _ROWS.reset(token)


def are_shown() -> bool:
    """Say whether `report` does anything; it needs a prediction of all validation rows."""
    return _ROWS.get() is not None


def report(
    epoch: str,  # as in "3/8"
    losses: list[Array] | list[float],  # of the epoch's batches
    fitted: Fitted,  # the net as it is now
) -> None:
    """Show one epoch, if someone asked for it."""
    if (rows := _ROWS.get()) is not None:
        rows.report(epoch, float(np.mean([float(x) for x in losses])), fitted)


@dataclass
class _ValidationRows:
    table: Table
    metric: Metric
    fold: str
    show: ShowRow
    start: float = field(default_factory=time.perf_counter)

    def report(self, epoch: str, train_loss: float, fitted: Fitted) -> None:
        preds, targs = fitted.predict(self.table), np.asarray(self.table.targs)
        values = preds, targs
        if self.metric.name == "rmsle":  # nets are fitted to log(1 + target)
            values = preds, np.log1p(targs)
            preds = np.expm1(preds).clip(0)
        now = time.perf_counter()
        seconds, self.start = now - self.start, now
        self.show(
            {
                "fold": self.fold,
                "epoch": epoch,
                "train loss": f"{train_loss:.4f}",
                "valid loss": f"{_loss(*values, is_class=bool(self.table.vocab)):.4f}",
                self.metric.name: f"{self.metric.score(targs, preds):.4f}",
                "time": f"{seconds:.1f} s",
            }
        )


def _loss(preds: Array, targs: Array, *, is_class: bool) -> float:
    """Return cross-entropy, or the mean squared error in units of the targets' variance."""
    if is_class:
        chosen = preds[np.arange(len(targs)), targs]
        return float(-np.log(np.clip(chosen, 1e-7, None)).mean())
    targs = targs.reshape(len(targs), -1)
    return float((((preds - targs) / (targs.std(0) + 1e-9)) ** 2).mean())
