"""Targets of an image network: the competition's target, and more labels that it learns with it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from ...data import Table
from ...exceptions import UnknownName
from ..model import Array


class Targets:
    """The target of some rows, and the labels of more columns: each has a slice of the output."""

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
        self.codes = np.column_stack(codes).astype(np.int64) if codes else None

    def take(self, rows: Array) -> list[Array]:
        """Return the targets of some rows, and codes (n, k) of the other columns, if any."""
        return [self.main[rows], *([] if self.codes is None else [self.codes[rows]])]

    def loss(self, output: Any, main: Any, codes: Any = None) -> Any:
        """Return the sum of the losses of all slices; missing labels do not count.

        The loss is cross-entropy for classes and squared error for values.
        """
        import torch.nn.functional as F

        own = output[:, : self.n_main]
        total = F.cross_entropy(own, main) if self.vocab else F.mse_loss(own, main)
        for i, part in enumerate(self.slices.values()):
            if (codes[:, i] >= 0).any():
                total = total + F.cross_entropy(output[:, part], codes[:, i], ignore_index=-1)
        return total

    def decode(self, output: Array) -> Array:
        """Return (n, n_outputs) probabilities or values of the target itself."""
        from scipy.special import softmax

        own = output[:, : self.n_main].astype(np.float64)
        return np.asarray(softmax(own, axis=1)) if self.vocab else own * self.spread + self.center

    def scores_also(self, output: Array, table: Table, readable: Array) -> dict[str, float]:
        """Return the accuracy of each other column, on the rows that have a label."""
        if table.also is None:
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
