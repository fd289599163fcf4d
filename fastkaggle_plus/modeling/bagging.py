"""Bagging over any fit function: forests, boosters and fastai learners alike, each row judged by members that did not see it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ..data import Table
from ..exceptions import ConfigError, SelectionError
from . import progress
from .model import Array, Fit, Fitted, FittedFunction, Model, oob_score


class Bag(FittedFunction):
    "A fitted bag: the mean of its members, with out-of-bag predictions."

    def drop(self, members: Iterable[int] | int) -> Bag:
        "Refuse: leaving members out by their own score biases the bag."
        raise SelectionError(
            f"Dropping members {[members] if isinstance(members, int) else sorted(members)} would keep those that were lucky on their out-of-bag "
            "rows, and the bag's error would look smaller than it is. "
            "A bag is good because its members err independently: keep all of them, or fit more."
        )

    def keep(self, *, best: int) -> Bag:
        "Refuse: see `drop`."
        return self.drop(range(best, len(self.members)))


def bag(
    model: Model | Fit,
    n: int = 10,
    frac: float = 0.75,  # rows each member is fitted on, as a share of all
    *,
    replace: bool = True,  # draw rows with replacement
    seed: int = 42,
) -> Model:
    """Return a model that averages `n` fits on random rows. It works for any fit function.

    The fitted bag has `oob`, predictions by the members that did not see a row, and `oob_score`: a validation score without a
    validation set. A bag of a bag or of a forest adds nothing. Source: Breiman, Bagging predictors (1996); fast.ai lesson 6.
    """
    fit_one = model.fit if isinstance(model, Model) else model
    if n < 1 or not 0 < frac <= 1:
        raise ConfigError(
            f"bag needs at least one member and a frac above 0 and up to 1; n={n}, frac={frac} came."
        )

    def fit(table: Table) -> Bag:
        rng, members = np.random.default_rng(seed), list[Fitted]()
        total, count = np.zeros((len(table), table.n_outputs)), np.zeros(len(table))
        for i in range(n):
            rows = rng.choice(len(table), max(1, round(frac * len(table))), replace=replace)
            with progress.part(i, n, "member"):
                members.append(fit_one(table.take(np.sort(rows))))
            unseen = np.setdiff1d(np.arange(len(table)), rows)
            if len(unseen):
                total[unseen] += members[-1].predict(table.take(unseen))
                count[unseen] += 1
        oob = total / np.where(count == 0, np.nan, count)[:, None]
        leaning = {
            c: float(np.mean([m.importances.get(c, 0.0) for m in members]))
            for c in members[0].importances
        }
        return Bag(
            lambda rows: _mean(members, rows),
            leaning,
            oob,
            oob_score(oob, table),
            members=[m.predict for m in members],
        )

    about: dict[str, Any] = {
        **(model.about if isinstance(model, Model) else {}),
        "bag": n,
        "frac": frac,
        "bag_seed": seed,
    }
    return Model(f"bag of {n} {model.name if isinstance(model, Model) else 'fits'}", fit, about)


def bag_model(
    model: str,  # "file.function", as in a Trial
    params: dict[str, Any] | None = None,  # its keyword arguments
    *,
    n: int = 10,
    frac: float = 0.75,
    replace: bool = True,
    seed: int = 42,
) -> Model:
    "Return a bag of a model that is named rather than given, so that a Trial can declare it."
    from . import find_model

    return bag(find_model(model)(**(params or {})), n, frac, replace=replace, seed=seed)


def _mean(members: list[Fitted], rows: Table) -> Array:
    return np.asarray(np.mean([m.predict(rows) for m in members], axis=0))
