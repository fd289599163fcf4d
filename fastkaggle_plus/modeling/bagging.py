"""Bagging over any fit function: forests, boosters and fastai learners alike."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from ..data import Table
from ..exceptions import ConfigError, SelectionError
from . import progress
from .model import Array, Fit, Fitted, FittedFunction, Model, Refit, as_fitted, out_of_bag
from .registry import build, model_from


class Bag(FittedFunction):
    """A fitted bag: the mean of its members, with out-of-bag predictions."""

    def drop(self, members: Iterable[int] | int) -> Bag:
        """Refuse: leaving members out by their own score biases the bag."""
        raise SelectionError(
            f"Cannot drop members {[members] if isinstance(members, int) else sorted(members)}: "
            "the rest would be those that were lucky on their out-of-bag rows, and the bag's error "
            "would look smaller than it is. A bag is good because its members err independently: "
            "keep all of them, or fit more."
        )

    def keep(self, *, best: int) -> Bag:
        """Refuse: see `drop`."""
        return self.drop(range(best, len(self.members)))


def bag(
    model: Model | Fit | Any,  # Any: a scikit-learn estimator
    n: int = 10,
    frac: float = 0.75,  # rows each member is fitted on, as a share of all
    *,
    replace: bool = True,  # draw rows with replacement
    seed: int = 42,
) -> Model:
    """Return a model that averages `n` fits on random rows. It works for any fit function.

    The fitted bag has `oob`, predictions by the members that did not see a row, and `oob_score`: a
    validation score without a validation set. A bag of a bag or of a forest adds nothing.
    Source: Breiman, Bagging predictors (1996); fast.ai lesson 6.
    """
    if n < 1 or not 0 < frac <= 1:
        raise ConfigError(
            "bag needs one member or more, and a frac above 0 and up to 1; "
            f"got n = {n}, frac = {frac}."
        )
    model = model_from(model)
    options: dict[str, Any] = dict(n=n, frac=frac, replace=replace, seed=seed)
    return Model(
        f"bag of {n} {model.name}",
        partial(_fit_bag, model.fit, **options),
        {**model.about, "bag": n, "frac": frac, "bag_seed": seed},
        refit=model.refit and partial(_refit_bag, model.refit, **options),
    )


def bag_model(
    model: str | Model,  # a name as in a Trial
    params: dict[str, Any] | None = None,  # its keyword arguments
    *,
    n: int = 10,
    frac: float = 0.75,
    replace: bool = True,
    seed: int = 42,
) -> Model:
    """Return a bag of a model given by its name, so that a Trial can declare it."""
    if isinstance(model, str):
        model = build(model, params or {})
    return bag(model, n, frac, replace=replace, seed=seed)


def _fit_bag(fit: Fit, table: Table, *, n: int, frac: float, replace: bool, seed: int) -> Bag:
    rng, seen, members = np.random.default_rng(seed), list[Array](), list[Fitted]()
    for i in range(n):
        seen.append(rng.choice(len(table), max(1, round(frac * len(table))), replace=replace))
        drawn = table.take(np.sort(seen[-1]))
        if drawn.groups is None:  # copies of a row stay together in an inner split
            drawn = dataclasses.replace(drawn, groups=np.sort(seen[-1]))
        with progress.step(i, n, "member"):
            members.append(as_fitted(fit(drawn), "the bag's model"))
    predicts = [partial(_predict_rows, member, table) for member in members]
    oob, oob_score = out_of_bag(table, zip(seen, predicts, strict=True))
    importances = {
        c: float(np.mean([m.importances.get(c, 0.0) for m in members]))
        for c in getattr(members[0], "importances", {})
    }
    mean = MeanOf(members)
    noted = [dict(getattr(m, "notes", {})) for m in members]
    notes = {"members": noted} if any(noted) else {}
    return Bag(mean, importances, oob, oob_score, members=[m.predict for m in members], notes=notes)


def _refit_bag(refit: Refit, table: Table, notes: list[dict[str, Any]], **options: Any) -> Bag:
    """Refit each member with what all members of all folds chose."""
    of_members = [note for of_bag in notes for note in of_bag.get("members", [])]
    return _fit_bag(lambda rows: refit(rows, of_members), table, **options)


def _predict_rows(member: Fitted, table: Table, rows: Array) -> Array:
    return member.predict(table.take(rows))


@dataclass
class MeanOf:
    """The mean of fitted models: predicts tables."""

    members: list[Fitted]

    def __call__(self, rows: Table) -> Array:
        """Return (n, n_outputs) predictions."""
        return np.asarray(np.mean([m.predict(rows) for m in self.members], axis=0))
