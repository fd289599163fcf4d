"""FinalModel: fitted models and all that is needed to predict new rows with them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...data import Table
from ...exceptions import DataError
from ...reading.array_cache import nothing_cached
from ...ui.records import Shown
from ..model import Array
from .final_card import ModelCard
from .member import Member
from .write_folder import write_folder


@dataclass(frozen=True, repr=False)
class FinalModel(Shown):
    """A model to keep and to use: `fit_final` makes one, `load_model` reads one."""

    card: ModelCard
    members: list[Member]
    new_rows: Any  # reads new rows into a Table

    def _facts(self) -> dict[str, object]:
        return self.card._facts()

    def predict(
        self,
        x: Any,  # paths of images; a data frame; pairs of strings: `card.kind` says which
    ) -> Array:
        """Return (n, n_outputs): a probability per class, in the order of `card.vocab`, or values.

        Nothing is cached on disk. Raises DataError for rows that lack a column of `card.columns`.
        """
        with nothing_cached():
            table = x if isinstance(x, Table) else self.new_rows(x)
            if not len(table):
                return np.empty((0, table.n_outputs))
            return np.asarray(sum(m.weight * m.predict(table) for m in self.members))

    def label_probabilities(self, x: Any) -> list[dict[Any, float]]:
        """Return {label: probability} of each row. Raises DataError for a regression."""
        if not self.card.vocab:
            raise DataError(
                f"{self.card.model} predicts values, and has no labels. Use predict(x)."
            )
        preds = self.predict(x)
        return [dict(zip(self.card.vocab, map(float, row), strict=True)) for row in preds]

    def save(self, folder: str | Path) -> Path:
        """Write the model into a folder, and return it. Raises DataError.

        A folder that `save` wrote is replaced; one with other files is refused.
        """
        write_folder(self.card, self.members, self.new_rows, Path(folder))
        return Path(folder)
