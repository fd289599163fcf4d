"""Targets of an image network: the competition's target, and more labels that it learns with it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ...data import Table
from ...exceptions import UnknownName
from ..frozen_head import Head
from ..model import Array


class Targets:
    """The target of some rows, and the labels of more columns: each has a slice of the output."""

    NOT_KEPT = ("main", "codes", "slices", "vocabs")  # see `final.object_graph`
    codes: Array | None = None  # of the other columns, (n, k)

    def __init__(self, table: Table, also: Sequence[str] = ()):
        known = [] if table.also is None else [str(c) for c in table.also]
        for column in also:
            if column not in known:
                hint = "`also` takes columns that only the training file has, and not the target."
                raise UnknownName("column of the training rows", column, known, hint)
        targs = np.asarray(table.targs)
        self.vocab, self.n_main = table.vocab, table.n_outputs
        self.center: Any = 0.0 if table.vocab else targs.mean(0)
        self.spread: Any = 1.0 if table.vocab else targs.std(0) + 1e-9
        if table.vocab:
            self.main = targs.astype(np.int64)
            self.prior = np.bincount(targs, minlength=len(table.vocab)) / len(targs)
        else:
            scaled = (targs - self.center) / self.spread
            self.main = scaled.reshape(len(targs), -1).astype(np.float32)
            self.prior = np.atleast_1d(targs.mean(0))
        self.vocabs: dict[str, Array] = {}
        self.slices: dict[str, slice] = {}
        self.n_out, codes = self.n_main, []
        for column in also:
            code, levels = pd.factorize(table.also[column], sort=True)  # type: ignore[index]
            codes.append(code)  # -1: missing
            self.vocabs[column] = np.asarray(levels, dtype=object)
            self.slices[column] = slice(self.n_out, self.n_out + len(levels))
            self.n_out += len(levels)
        if codes:
            self.codes = np.column_stack(codes).astype(np.int64)

    def take(self, rows: Array) -> list[Array]:
        """Return the targets of some rows, and codes (n, k) of the other columns, if any."""
        return [self.main[rows], *([] if self.codes is None else [self.codes[rows]])]

    def loss(self, *, label_smoothing: float = 0.0) -> "Loss":
        """Return the loss function of the network's output."""
        return Loss(self.n_main, bool(self.vocab), list(self.slices.values()), label_smoothing)

    def from_head(self, head: Head) -> tuple[Array, Array]:
        """Return (coef, intercept) of a linear layer that starts as this head of the target.

        Labels of other columns start at zero.
        """
        coef = np.zeros((self.n_out, head.coef.shape[1]), dtype=np.float32)
        intercept = np.zeros(self.n_out, dtype=np.float32)
        spread = np.reshape(self.spread, (-1, 1))
        coef[: self.n_main] = head.coef / spread
        intercept[: self.n_main] = (head.intercept - self.center) / spread[:, 0]
        return coef, intercept

    def decode(self, output: Array) -> Array:
        """Return (n, n_outputs) probabilities or values of the target itself."""
        from scipy.special import softmax

        own = output[:, : self.n_main].astype(np.float64)
        return np.asarray(softmax(own, axis=1)) if self.vocab else own * self.spread + self.center

    def scores_also(self, output: Array, table: Table, readable: Array) -> dict[str, float]:
        """Return the accuracy of each other column, on the rows that have a label."""
        if table.also is None or self.codes is None:
            return {}
        scores = {}
        for column, part in self.slices.items():
            labels = table.also[column][readable]
            known = labels.notna().to_numpy()
            if known.any() and len(self.vocabs[column]):
                predicted = self.vocabs[column][output[known, part].argmax(1)]
                is_right = predicted == labels[known].to_numpy(dtype=object)
                scores[f"{column}_accuracy"] = round(float(np.mean(is_right)), 6)
        return scores


@dataclass
class Loss:
    """The sum of the losses of the target and of other columns, whose missing labels do not count.

    It is cross-entropy for classes and squared error for values. The attributes `y_int` and
    `reduction` are for fastai's MixUp.
    """

    n_main: int  # outputs of the target
    y_int: bool  # whether the target is a class
    others: list[slice]  # outputs of other columns
    label_smoothing: float = 0.0
    reduction: str = "mean"

    def __call__(self, output: Any, main: Any, codes: Any = None) -> Any:
        import torch.nn.functional as F

        own, how = output[:, : self.n_main], self.reduction
        if self.y_int:
            total = F.cross_entropy(own, main, reduction=how, label_smoothing=self.label_smoothing)
        else:
            total = F.mse_loss(own, main, reduction=how)
        for i, part in enumerate(self.others):
            if (codes[:, i] >= 0).any():
                total = total + F.cross_entropy(output[:, part], codes[:, i], ignore_index=-1)
        return total
