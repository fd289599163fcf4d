"""All questions to one model, in the order of fastbook's chapter 9, and their answers in short."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ...evidence import top_losses
from ...exceptions import DataError
from ...ui.records import Shown, joined
from ..split_checks.shift import Shift, train_test_shift
from .contributions import Contributions, contributions
from .dependence import Dependence, interactions, partial_dependence
from .drop_columns import drop_columns
from .fold_models import FoldModels
from .permutation import permutation_importance
from .redundancy import Redundancy, redundant_columns
from .tree_spread import score_by_spread

_MOST_ROWS = 5_000  # for importances
_MOST_CURVES = 4  # columns with a partial dependence
_NAMED = 3  # columns in a sentence
_MANY_VALUES = 10  # of a number that may go beyond its training range; fewer are levels


@dataclass(frozen=True, eq=False, repr=False)
class Explanation(Shown):
    """The answers of one model, all out of fold."""

    models: FoldModels
    importances: pd.DataFrame  # of columns, and of redundant ones together
    dropped: pd.DataFrame
    redundancy: Redundancy
    curves: list[Dependence]  # of the most important columns, last the strongest interaction
    interactions: pd.DataFrame
    parts: Contributions  # of one row
    spread: pd.DataFrame  # empty: the model is no forest
    shift: Shift | None  # None: too few test rows
    beyond: Dependence | None  # of a number, past its training range; None: there is no number

    @property
    def answers(self) -> dict[str, str]:
        """The answer to each question, in a sentence."""
        alone = self.importances[self.importances["column"].isin(self.models.sources)]
        seen, metric = alone[alone["low"] > 0], self.models.preds.metric
        most = [f"{row.column} {row.loss:+.4f}" for row in seen.itertuples()]
        parts = [f"{part:+.4g} ({c})" for c, part in list(self.parts.parts.items())[:_NAMED]]
        found = {
            "importance": f"{len(seen)} of {len(alone)} columns have an effect. Loss of {metric} "
            f"if shuffled: {joined(most, most=_NAMED) or 'none'}.",
            "can go": "; ".join(f"{d.without}: {d.verdict}" for d in self.dropped.itertuples()),
            "redundant": "; ".join(map(", ".join, self.redundancy.groups)) or "none",
            "row": f"{self.parts.id}, truth {self.parts.truth}: {self.parts.output} "
            f"{self.parts.end:.4g} = {self.parts.start:.4g} {' '.join(parts)} and the rest.",
        }
        for pair in self.interactions[:1].itertuples():
            found["interaction"] = f"mostly {pair.first} x {pair.second}, H = {pair.H:.2f}."
        if len(self.spread) > 1:
            sure, unsure = (f"{score:.4f}" for score in self.spread["score"].iloc[[0, -1]])
            found["confidence"] = f"{metric} {sure} where the trees agree most, {unsure} least."
        if self.shift:
            by = ", ".join(self.shift.columns) or "chance"
            found["train or test"] = f"separated with AUC {self.shift.auc:.2f} by {by}."
        if self.beyond:
            [name], data = self.beyond.columns, self.models.data
            moves = "no longer changes" if self.beyond.is_flat_beyond else "still changes"
            found["beyond"] = f"past the training range of {name} the prediction {moves}; "
            found["beyond"] += data.notes.get(name, "few of the test rows are there") + "."
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
    data, few, sources = models.data, models.sample(_MOST_ROWS), models.sources
    asked = [tuple(f for c in columns for f in sources.get(c, (c,))) for columns in drop]
    models.tables[0].only([f for features in asked for f in features])  # raises UnknownName
    id = top_losses(models.preds, data, 1)["id"].iloc[0] if row is None else row
    parts = contributions(models, id)
    redundancy = redundant_columns(data.fold(np.arange(len(data.train)), None)[0])
    together = {}  # redundant columns: alone, each looks unimportant
    for group in redundancy.groups:
        of = {c: fs for c, fs in sources.items() if set(fs) & set(group)}
        if len(of) > 1:
            together[" + ".join(of)] = tuple(f for fs in of.values() for f in fs)
    groups = {**sources, **together}
    importances, shift = permutation_importance(few, groups), train_test_shift(data)
    seen = {f for c in importances.query("low > 0")["column"] for f in groups[c]}
    ranked = [c for c in importances["column"] if c in sources]
    by_rank = [f for c in ranked for f in sources[c]]
    tried = dict.fromkeys(asked, "asked")
    tried.setdefault(tuple(f for f in by_rank if f not in seen), "no importance")
    for group in redundancy.groups:
        kept, *rest = sorted(group, key=by_rank.index)
        tried.setdefault(tuple(rest), f"redundant with {kept}")
    differ = [f for c in (shift.columns if shift else ()) for f in sources.get(c, ())]
    tried.setdefault(tuple(differ), "separates train from test")
    chosen = [fs for fs in tried if 0 < len(fs) < len(by_rank)][:refits]
    dropped = drop_columns(models, chosen)
    dropped.insert(2, "tried because", [tried[features] for features in chosen])
    share = models.preds.importances  # of several features of a column, show the most used one
    main = [max(sources[c], key=lambda f: share.get(f, 0.0)) for c in ranked]
    curves = [c for feature in main[:_MOST_CURVES] if (c := _curve(models, feature))]
    pairs = interactions(models, [c.columns[0] for c in curves])
    for pair in pairs[:1].to_dict("records"):
        curves.append(partial_dependence(models, pair["first"], pair["second"]))
    n_values = data.train.x[list(data.train.cont_names)].nunique()
    numbers = [f for f in (*data.notes, *main) if n_values.get(f, 0) >= _MANY_VALUES]
    past = (c for f in numbers if (c := _curve(models, f, beyond=True)))
    has_trees = bool(getattr(models.fitted[0], "members", []))
    return Explanation(
        models,
        importances,
        dropped,
        redundancy,
        curves,
        pairs,
        parts,
        score_by_spread(models) if has_trees else pd.DataFrame(),
        shift,
        next(past, None),
    )


def _curve(models: FoldModels, feature: str, *, beyond: bool = False) -> Dependence | None:
    """Return a partial dependence, None for a constant."""
    with suppress(DataError):
        return partial_dependence(models, feature, beyond=beyond)
    return None
