"""All questions to one model, in the order of fastbook's chapter 9, and their answers in short."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...evidence import top_losses
from ...exceptions import DataError
from ...ui.records import Records, Shown, joined
from ..split_checks.shift import Shift, train_test_shift
from .contributions import Contributions, contributions
from .dependence import Dependence, Interaction, interactions, partial_dependence
from .drop_columns import Dropped, drop_columns
from .fold_models import FoldModels
from .permutation import Importance, permutation_importance
from .redundancy import Redundancy, redundant_columns
from .tree_spread import SpreadPart, score_by_spread

_MOST_ROWS = 5_000  # for importances
_MOST_CURVES = 4  # columns with a partial dependence
_NAMED = 3  # columns in a sentence

Tried = dict[tuple[str, ...], str]  # features -> why they may go


@dataclass(frozen=True, eq=False, repr=False)
class Explanation(Shown):
    """The answers of one model, all out of fold."""

    models: FoldModels
    importances: Records[Importance]
    dropped: Records[Dropped]
    redundancy: Redundancy
    dependences: list[Dependence]  # of the most important columns
    interactions: Records[Interaction]
    parts: Contributions  # of one row
    spread: Records[SpreadPart]  # empty: the model is no forest
    shift: Shift | None  # None: too few test rows
    beyond: Dependence | None  # of a number, past its training range; None: there is no number

    @property
    def single(self) -> list[Importance]:
        """The importances of single columns, without those of redundant ones together."""
        return [row for row in self.importances if row.column in self.models.sources]

    @property
    def answers(self) -> dict[str, str]:
        """The answer to each question, in one or two sentences."""
        seen = [row for row in self.single if row.is_seen]
        most = joined([f"{row.column} {row.loss:+.4f}" for row in seen], most=_NAMED)
        gone = [f"{', '.join(d.features)}: {d.verdict}" for d in self.dropped]
        found = {
            "importance": f"Shuffled, a column costs in {self.models.preds.metric}: "
            f"{most or 'nothing that is seen'}. {len(seen)} of {len(self.single)} columns show an "
            "effect.",
            "can go": f"{'; '.join(gone) or 'no refit, no answer'}.",
            "redundant": "; ".join(", ".join(g) for g in self.redundancy.groups)
            or f"No two features have a rank correlation of {self.redundancy.threshold:g}.",
        }
        if self.interactions:
            pair = self.interactions[0]
            found["interaction"] = (
                f"The largest is {' x '.join(pair.columns)}: H = {pair.strength:.2f}"
            )
            found["interaction"] += " (0: their effects add up; 1: neither has one alone)."
        parts = [f"{part:+.4g} ({c})" for c, part in list(self.parts.parts.items())[:_NAMED]]
        found["row"] = (
            f"Row {self.parts.id}, truth {self.parts.truth}: {self.parts.end:.4g} = "
            f"{self.parts.start:.4g} {' '.join(parts)} and the rest."
        )
        if len(self.spread) > 1:
            ends = self.spread[0], self.spread[-1]
            sure, unsure = (f"{part.score:.4f}" for part in ends)
            found["confidence"] = (
                f"{ends[0].metric} is {sure} where the trees agree most, {unsure} where they agree "
                "least."
            )
        if self.shift:
            by = f", mostly by {', '.join(self.shift.columns)}" if self.shift.columns else ""
            found["train or test"] = f"A classifier separates them with AUC {self.shift.auc:.2f}"
            found["train or test"] += f"{by or ': by chance'}."
        if self.beyond:
            moves = "stays as it is" if self.beyond.is_flat_beyond else "still moves"
            note = self.models.data.notes.get(
                self.beyond.columns[0], "at most 20% of the test rows are beyond it"
            )
            found["beyond"] = f"The prediction {moves} beyond the training range of "
            found["beyond"] += f"{self.beyond.columns[0]}; {note}."
        return found

    def _facts(self) -> dict[str, object]:
        return {"model": self.models.model.name, **self.answers}


def explain_model(
    models: FoldModels,
    *,
    row: Any = None,  # id of the training row to take apart; None: the worst prediction
    drop: Sequence[Sequence[str]] = (),  # further groups of columns to try without
    refits: int = 6,  # most refits of the folds for the columns that can go
) -> Explanation:
    """Ask all questions. Raises UnknownName, DataError."""
    data, few = models.data, models.sample(_MOST_ROWS)
    whole, _ = data.fold(np.arange(len(data.train)), None)
    redundancy = redundant_columns(whole)
    importances = permutation_importance(
        few, groups={**models.sources, **_together(models, redundancy)}
    )
    shift = train_test_shift(data)
    tried = _candidates(models, importances, redundancy, shift, drop)
    chosen = list(tried)[:refits]
    ranked = [_main_feature(models, row) for row in importances if row.column in models.sources]
    curves = []
    for feature in ranked[:_MOST_CURVES]:
        with suppress(DataError):  # a constant
            curves.append(partial_dependence(models, feature))
    id = top_losses(models.preds, data, 1)["id"].iloc[0] if row is None else row
    has_trees = getattr(models.fitted[0], "members", [])
    return Explanation(
        models,
        importances,
        drop_columns(models, chosen, why=[tried[features] for features in chosen]),
        redundancy,
        curves,
        interactions(models, [d.columns[0] for d in curves]),
        contributions(models, id),
        score_by_spread(models) if has_trees else Records(),
        shift,
        _past_the_range(models, ranked),
    )


def _together(models: FoldModels, redundancy: Redundancy) -> dict[str, tuple[str, ...]]:
    """Return the groups of redundant features of several columns, with all that is made of them."""
    found = {}
    for group in redundancy.groups:
        of = {c: fs for c, fs in models.sources.items() if set(fs) & set(group)}
        if len(of) > 1:
            found[" + ".join(of)] = tuple(f for fs in of.values() for f in fs)
    return found


def _candidates(
    models: FoldModels,
    importances: Sequence[Importance],
    redundancy: Redundancy,
    shift: Shift | None,
    drop: Sequence[Sequence[str]],
) -> Tried:
    """Return groups of features to try without: the user's first, never all features."""

    def made_of(columns: Sequence[str]) -> tuple[str, ...]:
        return tuple(f for c in columns for f in models.sources.get(c, (c,)))

    alone = [row for row in importances if row.column in models.sources]
    loss = {f: row.loss for row in alone for f in row.features}
    # of redundant columns each looks unimportant while the others are there
    needed = {f for row in importances if row.is_seen for f in row.features}
    tried: Tried = {made_of(columns): "asked" for columns in drop}
    idle = [f for f in models.features if f not in needed]
    tried.setdefault(tuple(idle), "no importance")
    for group in redundancy.groups:
        kept, *rest = sorted(group, key=lambda f: -loss[f])
        tried.setdefault(tuple(rest), f"redundant with {kept}")
    if shift:
        known = [c for c in shift.columns if c in models.sources]
        tried.setdefault(made_of(known), "separates train from test")
    return {fs: why for fs, why in tried.items() if 0 < len(fs) < len(models.features)}


def _main_feature(models: FoldModels, row: Importance) -> str:
    """Return the feature of a column that the model uses most."""
    return max(row.features, key=lambda f: models.preds.importances.get(f, 0.0))


def _past_the_range(models: FoldModels, ranked: Sequence[str]) -> Dependence | None:
    """Vary a number past its training range: one that test rows go beyond, else the first."""
    numbers = [f for f in ranked if f in models.data.train.cont_names]
    noted = [f for f in models.data.notes if f in numbers]
    for feature in (*noted, *numbers):
        with suppress(DataError):
            return partial_dependence(models, feature, beyond=True)
    return None
