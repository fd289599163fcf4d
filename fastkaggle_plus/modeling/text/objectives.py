"""What a language model learns to answer, by which loss, and how its answers become predictions."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...data import Table
from ...exceptions import ConfigError, UnknownName
from ..model import Array

__all__ = ["LOSSES", "MOST_LEVELS", "Objective"]

LOSSES = (
    "auto",
    "mse",
    "bce",
    "pearson",
    "ordinal",
)  # of values; classes are learned by cross-entropy
MOST_LEVELS = 20  # distinct values of a scale
_TINY = 1e-6


class Objective:
    """The target of some rows, its loss, and the way back.

    mse: squared error of values brought to the range 0 to 1. bce: cross-entropy of such a value, taken as a probability. pearson: one minus the
    correlation within the batch, beside the squared error that keeps the scale. ordinal: whether the target is above each level of its scale; the answer
    is the expected level. Predictions stay within the values that were seen. Source for ordinal: Frank and Hall, A simple approach to ordinal
    classification (2001).
    """

    def __init__(self, table: Table, loss: str = "auto"):
        targs = np.asarray(table.targs)
        self.vocab, self.n_outputs = table.vocab, table.n_outputs
        self.name = known_loss(loss, classes=bool(table.vocab))
        if self.vocab:
            self.targs, self.n_out, self.bias = (
                targs.astype(np.int64),
                len(self.vocab),
                np.zeros(len(self.vocab)),
            )
            return
        values = targs.reshape(len(targs), -1).astype(float)
        self.low, self.high = values.min(0), values.max(0)
        self.levels = np.unique(values) if values.shape[1] == 1 else np.empty(0)
        if self.name == "ordinal":
            if not 2 <= len(self.levels) <= MOST_LEVELS:
                came = (
                    f"{values.shape[1]} targets"
                    if values.shape[1] > 1
                    else f"{len(self.levels)} different values"
                )
                raise ConfigError(
                    f'loss = "ordinal" is for one target on a scale of 2 to {MOST_LEVELS} levels, and {came} came. Use mse, bce or pearson.'
                )
            self.targs = (values > self.levels[:-1]).astype(
                np.float32
            )  # (n, levels - 1): above each level but the last?
        else:
            self.targs = (
                (values - self.low) / np.where(self.high > self.low, self.high - self.low, 1.0)
            ).astype(np.float32)
        self.n_out = self.targs.shape[1]
        mean = self.targs.mean(0).clip(0.01, 0.99)
        self.bias = (
            np.log(mean / (1 - mean)) if self.name in ("bce", "ordinal") else mean
        )  # it begins with the mean answer

    def loss(self, answer: Any, targs: Any) -> Any:
        "Return the loss of (n, n_out) raw answers."
        import torch.nn.functional as F

        if self.vocab:
            return F.cross_entropy(answer, targs)
        if self.name in ("bce", "ordinal"):
            return F.binary_cross_entropy_with_logits(answer, targs)
        squared = F.mse_loss(answer, targs)
        return (
            squared + (1 - _correlation(answer, targs)).mean()
            if self.name == "pearson"
            else squared
        )

    def decode(self, answer: Array) -> Array:
        "Return (n, n_outputs) probabilities or values."
        from scipy.special import expit, softmax

        answer = answer.astype(np.float64)
        if self.vocab:
            return np.asarray(softmax(answer, axis=1))
        if self.name == "ordinal":
            return self.levels[0] + (expit(answer) * np.diff(self.levels)).sum(1, keepdims=True)
        share = expit(answer) if self.name == "bce" else answer.clip(0, 1)
        return self.low + share * (self.high - self.low)

    def rounded(self, preds: Array) -> Array:
        "Return the nearest levels of the target's scale. Raises ConfigError where the target has none."
        self.check_levels()
        return self.levels[np.abs(preds - self.levels).argmin(1)][:, None]

    def check_levels(self) -> None:
        "Raise ConfigError where the target has no scale that could be rounded to."
        if self.vocab or not 1 <= len(self.levels) <= MOST_LEVELS:
            raise ConfigError(
                f"rounding is for one target with at most {MOST_LEVELS} different values. Leave it off."
            )


def known_loss(loss: str, *, classes: bool) -> str:
    "Return the loss that is meant. Raises UnknownName, and ConfigError for a loss of values where classes are to be learned."
    if loss not in LOSSES:
        raise UnknownName("loss", loss, LOSSES)
    if classes and loss != "auto":
        raise ConfigError(
            f'loss = {loss!r} compares values, and the target is classes, which are learned by cross-entropy. Leave it "auto".'
        )
    return "cross-entropy" if classes else "mse" if loss == "auto" else loss


def _correlation(a: Any, b: Any) -> Any:
    "Pearson's, of each column; of a column without spread 0."
    a, b = a - a.mean(0), b - b.mean(0)
    return (a * b).sum(0) / ((a * a).sum(0) * (b * b).sum(0)).clamp_min(
        _TINY**2
    ).sqrt()  # before the root, whose slope at zero is infinite
