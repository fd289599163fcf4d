"""The target of a language model: its loss, and how raw outputs become predictions."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ...data import Table
from ...exceptions import ConfigError
from ..model import Array

LOSSES = ("auto", "mse", "bce", "pearson", "ordinal")  # of values; classes use cross-entropy
MAX_LEVELS = 20  # distinct values of a scale
_EPSILON = 1e-12


class Objective:
    """The target of some rows, its loss, and the decoding of raw outputs.

    mse: squared error of values scaled to 0 to 1. bce: cross-entropy of such a value, read as a
    probability. pearson: one minus the correlation within the batch, plus the squared error, which
    keeps the scale. ordinal: for each level of the scale, whether the target is above it; the
    prediction is the expected level. Predictions stay within the range of the training targets.
    Source for ordinal: Frank and Hall, A simple approach to ordinal classification (2001).
    """

    NOT_KEPT = ("targs", "bias")  # see `final.object_graph`

    def __init__(self, table: Table, loss: str = "auto"):
        targs = np.asarray(table.targs)
        self.vocab, self.n_outputs = table.vocab, table.n_outputs
        self.name = "mse" if loss == "auto" else loss
        if self.vocab:
            if loss != "auto":
                raise ConfigError(
                    f"loss = {loss!r} is for values, but the target has classes, which use "
                    'cross-entropy. Leave it "auto".'
                )
            self.name = "cross-entropy"
            self.targs, self.n_out = targs.astype(np.int64), len(self.vocab)
            self.bias = np.zeros(self.n_out)
            return
        values = targs.reshape(len(targs), -1).astype(float)
        self.low, self.high = values.min(0), values.max(0)
        self.levels = np.unique(values) if values.shape[1] == 1 else np.empty(0)
        if self.name == "ordinal":
            if not 2 <= len(self.levels) <= MAX_LEVELS:
                raise ConfigError(
                    f'loss = "ordinal" is for one target with 2 to {MAX_LEVELS} different values, '
                    f"got {values.shape[1]} target(s) with {len(np.unique(values))} different "
                    "values. Use mse, bce or pearson."
                )
            scaled = values > self.levels[:-1]  # (n, levels - 1)
        else:
            scaled = (values - self.low) / np.where(self.high > self.low, self.high - self.low, 1.0)
        self.targs = scaled.astype(np.float32)
        self.n_out = self.targs.shape[1]
        mean = self.targs.mean(0).clip(0.01, 0.99)
        is_logit = self.name in ("bce", "ordinal")
        self.bias = np.log(mean / (1 - mean)) if is_logit else mean  # the first prediction

    def loss(self, outputs: Any, targs: Any) -> Any:
        """Return the loss of (n, n_out) raw outputs."""
        import torch.nn.functional as F

        if self.vocab:
            return F.cross_entropy(outputs, targs)
        if self.name in ("bce", "ordinal"):
            return F.binary_cross_entropy_with_logits(outputs, targs)
        loss = F.mse_loss(outputs, targs)
        return loss + (1 - _correlation(outputs, targs)).mean() if self.name == "pearson" else loss

    def loss_of_predictions(self) -> Callable[[Array, Array], float] | None:
        """Return the loss of decoded predictions; None for one that they do not determine."""
        import torch

        if self.vocab or self.name == "ordinal":
            return None
        span = np.where(self.high > self.low, self.high - self.low, 1.0)

        def loss(preds: Array, targs: Array) -> float:
            outputs, scaled = (
                torch.from_numpy((values.reshape(len(values), -1) - self.low) / span)
                for values in (preds, targs.astype(float))
            )
            outputs = outputs.logit(_EPSILON) if self.name == "bce" else outputs
            return float(self.loss(outputs, scaled))

        return loss

    def decode(self, outputs: Array) -> Array:
        """Return (n, n_outputs) probabilities or values for raw outputs."""
        from scipy.special import expit, softmax

        outputs = outputs.astype(np.float64)
        if self.vocab:
            return np.asarray(softmax(outputs, axis=1))
        if self.name == "ordinal":
            return self.levels[0] + (expit(outputs) * np.diff(self.levels)).sum(1, keepdims=True)
        share = expit(outputs) if self.name == "bce" else outputs.clip(0, 1)
        return self.low + share * (self.high - self.low)

    def rounded(self, preds: Array) -> Array:
        """Return the nearest levels of the target's scale. Raises ConfigError without a scale."""
        self.check_rounding()
        return self.levels[np.abs(preds - self.levels).argmin(1)][:, None]

    def check_rounding(self) -> None:
        """Raise ConfigError if the target has no scale to round to."""
        if self.vocab or not 1 <= len(self.levels) <= MAX_LEVELS:
            raise ConfigError(
                f"rounding is for one target with at most {MAX_LEVELS} different values: omit it."
            )


def _correlation(a: Any, b: Any) -> Any:
    """Return the Pearson correlation of each column; 0 for a column without spread."""
    a, b = a - a.mean(0), b - b.mean(0)
    squares = (a * a).sum(0) * (b * b).sum(0)
    return (a * b).sum(0) / squares.clamp_min(_EPSILON).sqrt()  # the slope of sqrt(0) is infinite
