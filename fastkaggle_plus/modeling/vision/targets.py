"""What a network is to answer: the classes or values, and beside them further labels that it learns along."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...data import Table
from ...exceptions import UnknownName
from ..model import Array


class Targets:
    "The target of some rows, and the labels of further columns, as slices of one answer: their widths are those of the vocabularies."

    def __init__(self, table: Table, also: Sequence[str] = ()):
        import pandas as pd

        known = [] if table.also is None else [str(c) for c in table.also]
        for column in also:
            if column not in known:
                raise UnknownName(
                    "column of the training rows",
                    column,
                    known,
                    "`also` names columns that only the training file has, and not the target.",
                )
        targs = np.asarray(table.targs)
        self.vocab, self.also = table.vocab, tuple(also)
        self.center: Any = 0.0 if table.vocab else targs.mean(0)
        self.spread: Any = 1.0 if table.vocab else targs.std(0) + 1e-9
        self.prior = (
            np.bincount(targs, minlength=len(table.vocab)) / len(targs)
            if table.vocab
            else np.atleast_1d(targs.mean(0))
        )
        self.n_main = table.n_outputs
        self.vocabs: dict[str, Array] = {}
        codes = []
        for column in self.also:
            code, levels = pd.factorize(table.also[column], sort=True)  # type: ignore[index]  # -1: missing
            self.vocabs[column] = np.asarray(levels, dtype=object)
            codes.append(code)
        self.slices, at = {}, self.n_main
        for column, known_levels in self.vocabs.items():
            self.slices[column] = slice(at, at + len(known_levels))
            at += len(known_levels)
        self.n_out = at
        self.main = (
            targs.astype(np.int64)
            if table.vocab
            else ((targs - self.center) / self.spread).reshape(len(targs), -1).astype(np.float32)
        )
        self.codes = np.column_stack(codes).astype(np.int64) if codes else None

    def take(self, rows: Array) -> list[Array]:
        "Return the targets at the positions `rows`: of the column itself, and codes (n, k) of the others if there are any."
        return [self.main[rows], *([] if self.codes is None else [self.codes[rows]])]

    def loss(self, answer: Any, main: Any, codes: Any = None) -> Any:
        "Return the sum of the losses of all slices: cross-entropy of classes, squared error of values; missing labels do not count."
        import torch.nn.functional as F

        own = answer[:, : self.n_main]
        total = F.cross_entropy(own, main) if self.vocab else F.mse_loss(own, main)
        for i, part in enumerate(self.slices.values()):
            if (codes[:, i] >= 0).any():
                total = total + F.cross_entropy(answer[:, part], codes[:, i], ignore_index=-1)
        return total

    def decode(self, answer: Array) -> Array:
        "Return (n, n_outputs) probabilities or values of the target itself."
        from scipy.special import softmax

        own = answer[:, : self.n_main].astype(np.float64)
        if not self.vocab:
            return own * self.spread + self.center
        return np.asarray(softmax(own, axis=1))

    def scores_also(self, answer: Array, table: Table, readable: Array) -> dict[str, float]:
        "Return the accuracy of each further column on the rows that have it; nothing of a column that has none."
        if table.also is None:
            return {}
        scores = {}
        for column, part in self.slices.items():
            labels = table.also[column][readable]
            known = labels.notna().to_numpy()
            if known.any() and len(self.vocabs[column]):
                told = self.vocabs[column][answer[known, part].argmax(1)]
                scores[f"{column}_accuracy"] = round(
                    float(np.mean(told == labels[known].to_numpy(dtype=object))), 6
                )
        return scores
