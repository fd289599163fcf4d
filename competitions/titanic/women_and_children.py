"""Women and children by group: men die, women and boys share the fate of their party.

Source: C. Deotte, "Titanic using name only" (Kaggle, 2018). Here it predicts probabilities, so that
it can be averaged with other models.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fastkaggle_plus.data import Table
from fastkaggle_plus.modeling import FittedFunction, Model

EVEN = 0.5  # data.py adds this to the number of survivors in `companions`


def women_and_children_model() -> Model:
    """Return the rule. It learns the survival rates of men, women and boys, and uses the party."""

    def fit(table: Table) -> FittedFunction:
        survived, kind = np.asarray(table.targs, dtype=float), kinds(table)
        rates = np.array(
            [survived[kind == k].mean() if (kind == k).any() else 0.5 for k in range(3)]
        )
        return FittedFunction(Rule(rates))

    return Model("women and children", fit)


@dataclass
class Rule:
    """The rule, with its rates: predicts tables."""

    rates: np.ndarray  # of survival: men, women, boys

    def __call__(self, rows: Table) -> np.ndarray:
        """Return (n, 2) probabilities."""
        kind, known = kinds(rows), rows.x["companions_known"].to_numpy()
        prior = self.rates[kind]
        # how many companions survived
        saved = rows.x["companions"].to_numpy() * (known + 1) - EVEN
        yes = np.where(kind == 0, prior, (saved + prior) / (known + 1))
        return np.column_stack([1 - yes, yes])


def kinds(table: Table) -> np.ndarray:
    """Return 0 for a man, 1 for a woman or girl, 2 for a boy."""
    female, boy = (table.x["Sex"] == "female").to_numpy(), (table.x["Title"] == "Master").to_numpy()
    return np.where(female, 1, np.where(boy, 2, 0))
