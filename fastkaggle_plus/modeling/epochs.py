"""The curves of nets: losses and score after each epoch, on rows that the net was not fitted on."""

import contextlib
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field

import numpy as np

from ..data import Table
from ..exceptions import DataError
from ..metrics import Metric
from . import progress
from .model import Array, Fitted

ShowRow = Callable[[dict[str, str]], None]
Loss = Callable[[Array, Array], float]  # (predictions, targets) -> mean over the rows

_LEAST_ROWS, _MOST_ROWS = 200, 2000  # that an epoch is validated on, of a fold that has more
_MOST_POINTS = 50  # of a curve

_SHOW: ContextVar[ShowRow | None] = ContextVar("show_epoch", default=None)
_ROWS: ContextVar["_ValidationRows | None"] = ContextVar("validation_rows", default=None)


@dataclass
class Curve:
    """How one fit learned: its losses and its score. Predictions keep it as `about["curves"]`."""

    fold: str  # as in "2/5"
    n_epochs: int  # declared
    epochs: list[int] = field(default_factory=list)  # from 1; those that were validated
    train_loss: list[float] = field(default_factory=list)  # mean of the epoch's batches
    valid_loss: list[float] = field(default_factory=list)
    score: list[float] = field(default_factory=list)  # the metric; NaN: these rows have none
    stopped: int = 0  # the last epoch, if the training stopped early
    why: str = ""
    kept: int = 0  # the epoch whose weights are used, if it is not the last one


@contextlib.contextmanager
def epoch_table(show: ShowRow) -> Iterator[None]:
    """Call `show` with a row of the table after each epoch of the block."""
    token = _SHOW.set(show)
    try:
        yield
    finally:
        _SHOW.reset(token)


@contextlib.contextmanager
def validated_on(table: Table, metric: Metric, fold: str) -> Iterator[list[Curve]]:
    """Validate the block's epochs on a quarter of these rows, and yield the list of curves.

    It is 200 to 2,000 rows, where there are so many, so that curves cost little.
    """
    n = min(len(table), max(len(table) // 4, _LEAST_ROWS), _MOST_ROWS)
    places = np.linspace(0, len(table) - 1, n).astype(int)
    rows = _ValidationRows(table.take(places), metric, fold, _SHOW.get())
    token = _ROWS.set(rows)
    try:
        yield rows.curves
    finally:
        _ROWS.reset(token)


def validation_rows() -> Table | None:
    """Return the rows that epochs are validated on; None: they are not validated."""
    rows = _ROWS.get()
    return None if rows is None else rows.table


def are_due(
    epoch: int,  # from 1
    n_epochs: int,
) -> bool:
    """Say whether this epoch is validated: each one, or of very many every second, third, ..."""
    rows = _ROWS.get()
    every = 1 if rows and rows.show else math.ceil(n_epochs / _MOST_POINTS)
    return rows is not None and (epoch % every == 0 or epoch in (1, n_epochs))


def report(
    epoch: int,  # from 1
    n_epochs: int,
    losses: Sequence[Array | float],  # of the epoch's batches
    fitted: Fitted,  # the net as it is now
    *,
    loss: Loss | None = None,  # as in the training; default: cross-entropy or squared error
) -> None:
    """Validate an epoch and keep its losses and score. Call it where `are_due` says so."""
    if (rows := _ROWS.get()) is not None:
        train_loss = float(np.mean([float(x) for x in losses]))
        rows.report(epoch, n_epochs, train_loss, fitted, loss or rows.loss)


def report_stop(
    epoch: int,  # after which the training stops
    n_epochs: int,
    why: str,
    *,
    kept: int = 0,  # the epoch whose weights are used; 0: the last one
) -> None:
    """Say that a training stops early: in the progress, and in the curve."""
    progress.report(epoch, epoch, f"stopped after epoch {epoch}/{n_epochs}: {why}")
    rows = _ROWS.get()
    if rows and rows.curves:
        curve = rows.curves[-1]
        curve.stopped, curve.why, curve.kept = epoch, why, kept


@dataclass
class _ValidationRows:
    table: Table
    metric: Metric
    fold: str
    show: ShowRow | None
    curves: list[Curve] = field(default_factory=list)  # one; of a bag, one for each member
    start: float = field(default_factory=time.perf_counter)

    def report(
        self, epoch: int, n_epochs: int, train_loss: float, fitted: Fitted, loss: Loss
    ) -> None:
        preds, targs = fitted.predict(self.table), np.asarray(self.table.targs)
        values = preds, targs
        if self.metric.name == "rmsle":  # nets are fitted to log(1 + target)
            values = preds, np.log1p(targs)
            preds = np.expm1(preds).clip(0)
        valid_loss, score = loss(*values), float("nan")
        with contextlib.suppress(DataError):  # such as one class, which has no AUC
            score = self.metric.score(targs, preds)
        self._keep(epoch, n_epochs, (train_loss, valid_loss, score))
        now = time.perf_counter()
        seconds, self.start = now - self.start, now
        if self.show:
            self.show(
                {
                    "fold": self.fold,
                    "epoch": f"{epoch}/{n_epochs}",
                    "train loss": f"{train_loss:.4f}",
                    "valid loss": f"{valid_loss:.4f}",
                    self.metric.name: f"{score:.4f}",
                    "time": f"{seconds:.1f} s",
                }
            )

    def loss(self, preds: Array, targs: Array) -> float:
        """Return cross-entropy, or the mean squared error in units of the targets' variance."""
        if self.table.vocab:
            chosen = preds[np.arange(len(targs)), targs]
            return float(-np.log(np.clip(chosen, 1e-7, None)).mean())
        targs = targs.reshape(len(targs), -1)
        return float((((preds - targs) / (targs.std(0) + 1e-9)) ** 2).mean())

    def _keep(self, epoch: int, n_epochs: int, values: tuple[float, float, float]) -> None:
        if not self.curves or self.curves[-1].epochs[-1] >= epoch:  # another fit
            self.curves.append(Curve(self.fold, n_epochs))
        curve = self.curves[-1]
        curve.epochs.append(epoch)
        columns = (curve.train_loss, curve.valid_loss, curve.score)
        for column, value in zip(columns, values, strict=True):
            column.append(float(f"{value:.6g}"))
