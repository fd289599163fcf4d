"""Trial and Sweep: declared configurations, as plain data. TrialResult: what a trial gave."""

import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

from ..exceptions import ConfigError, UnknownName
from ..folds import is_refit
from ..predictions import Predictions, recipe_of
from ..ui.records import Row, Shown, joined
from .pruning import FoldScores, after_folds

SEEDS = ("random_state", "seed")  # parameters of models


@dataclass(frozen=True)
class Trial(Shown):
    """One declared configuration.

    `model` names a function that returns a model, alone or as "file.function": it is looked up in
    the competition's folder first, then in `fastkaggle_plus.modeling`. Or it names an estimator's
    class, as in "sklearn.linear_model.Ridge". "name #2", "name #3", ... are repeats of the trial
    "name": each runs on another split of the rows. `repeated` makes them.
    """

    name: str
    model: str
    params: dict[str, Any] = field(default_factory=dict)  # arguments of the function; JSON only
    hypothesis: str = ""  # what this trial should find out, in one line
    in_ensemble: bool = True  # whether it joins the ensemble; declared before scoring
    num_gpus: float | None = None  # 0, 1, or the share of a GPU it needs; default: by its model

    def __post_init__(self) -> None:
        if not isinstance(self.model, str):
            name = getattr(self.model, "__name__", type(self.model).__name__)
            module = getattr(self.model, "__module__", "").split("._")[0]
            as_text = f"{module}.{name}" if isinstance(self.model, type) else name
            raise ConfigError(
                f"Trial {self.name!r}: expected the model's name as text, got the object itself, "
                f"which a trial cannot store. Write {as_text!r}, and its parameters in `params`."
            )
        if not all(part.isidentifier() for part in self.model.split(".")):
            raise ConfigError(
                f"Trial {self.name!r}: expected the name of a model, as in "
                f'"forest_model" or "file.function"; got {self.model!r}.'
            )
        if not 0 <= (self.num_gpus or 0) <= 1:
            raise ConfigError(
                f"Trial {self.name!r}: expected num_gpus from 0 to 1, got {self.num_gpus}. "
                "Write 0 for none, 1 for a whole GPU, or 0.25 to share it with three others."
            )
        try:
            json.dumps(self.params)
        except TypeError as e:
            raise ConfigError(
                f"Trial {self.name!r}: params must be plain data (numbers, strings, lists): {e}."
            ) from e

    def _facts(self) -> dict[str, object]:
        return {
            "name": self.name,
            "model": self.model,
            "params": joined(self.params, most=20),
            "hypothesis": self.hypothesis,
            "in ensemble": "yes" if self.in_ensemble else "no",
        }

    @property
    def models(self) -> tuple[str, ...]:
        """The trial's model and, for a bag, the model that it repeats."""
        found, params = [self.model], self.params
        while isinstance(repeated := params.get("model"), str):
            found.append(repeated)
            params = params.get("params") or {}
        return tuple(found)

    @property
    def repeat(self) -> int:
        """The number of the repeat: 1, or that in a name like "forest #2"."""
        return recipe_of(self.name)[1]

    def fingerprint(self) -> str:
        """Return a hash of what changes the result: the model, its parameters and the repeat."""
        number = [self.repeat] if self.repeat > 1 else []
        facts = json.dumps([self.model, self.params, *number], sort_keys=True)
        return hashlib.sha256(facts.encode()).hexdigest()[:16]


@dataclass(frozen=True, eq=False, repr=False)
class TrialResult(Shown, Row):
    """The outcome of one trial in one sweep."""

    trial: Trial
    predictions: Predictions | None  # None when it failed or did not run
    error: str = ""  # traceback, or why it did not run
    reused: bool = False  # read from the vault instead of run again
    not_run: bool = False  # it exceeds the budget
    fold_scores: FoldScores = ()  # of the folds that ran, if a search stopped it

    def as_row(self) -> dict[str, object]:
        """Return name, CV score, standard error, seconds, and a note."""
        preds = self.predictions
        error = self.error.strip().splitlines()[-1:] or [""]
        note = error[0] if self.not_run else f"failed: {error[0]}"
        if self.is_pruned:
            note = after_folds(self.fold_scores)
        return {
            "trial": self.name,
            "CV score": f"{preds.oof_score:.4f}" if preds else "",
            "SE": f"± {preds.oof_score_se:.4f}" if preds else "",
            "seconds": f"{preds.seconds_s:.1f}" if preds else "",
            "note": ("from the vault" if self.reused else "") if preds else note,
        }

    def _facts(self) -> dict[str, object]:
        return self.as_row()

    @property
    def name(self) -> str:
        """The trial's name."""
        return self.trial.name

    @property
    def failed(self) -> bool:
        """Whether the trial ran and ended in an error."""
        return self.predictions is None and not self.not_run and not self.is_pruned

    @property
    def is_pruned(self) -> bool:
        """Whether a search stopped the trial after a fold, because it looked worse."""
        return bool(self.fold_scores)


@dataclass(frozen=True, repr=False)
class Sweep(Shown):
    """A set of trials on one competition, with one split."""

    slug: str
    trials: tuple[Trial, ...]
    n_folds: int = 5
    seed: int = 42
    holdout: float | None = None  # share of the rows in a single holdout, instead of folds
    test: str = "auto"  # who predicts test rows: folds | refit | auto, see `cross_validate`
    earlier: list[FoldScores] = field(default_factory=list)  # in a search: of finished trials
    prune: bool = False  # in a search: stop a trial after a fold if it looks worse than `earlier`
    planned: int = 0  # in a search: number of trials that it will make

    def __post_init__(self) -> None:
        names = [t.name for t in self.trials]
        is_refit(self.test, "")  # raises UnknownName
        if self.holdout is not None and not 0.01 <= self.holdout <= 0.9:
            raise ConfigError(
                "holdout is the validated share of the rows: "
                f"expected a number between 0.01 and 0.9, got {self.holdout}."
            )
        if twice := sorted(n for n in set(names) if names.count(n) > 1):
            raise ConfigError(
                f"Two trials are called {twice[0]!r}. Give each trial its own name: "
                "tables and ensembles identify trials by name."
            )
        if odd := [t.name for t in self.trials if t.repeat > 1 and t.in_ensemble]:
            raise ConfigError(
                f"Trial {odd[0]!r}: a name that ends in # and a number means a repeat, on another "
                "split of the rows, which cannot join the ensemble. Choose another name."
            )

    @property
    def n_trials(self) -> int:
        """Number of trials."""
        return self.planned or len(self.trials)

    def _facts(self) -> dict[str, object]:
        split = f"{self.n_folds} folds" if self.holdout is None else f"{self.holdout:.0%} held out"
        names = joined([t.name for t in self.trials], most=20)
        return {"slug": self.slug, "trials": names, "split": f"{split}, seed {self.seed}"}

    def to_json(self) -> str:
        """Return the sweep as JSON."""
        return json.dumps(asdict(self), sort_keys=True)


Named = TypeVar("Named", Trial, Predictions)


def select_by_name(
    trials: Sequence[Named],  # declared trials, or the predictions of finished ones
    names: Collection[str],
) -> list[Named]:
    """Return the trials of these names, in their order. Raises UnknownName."""
    by_name = {trial.name: trial for trial in trials}
    for name in names:
        if name not in by_name:
            raise UnknownName("trial", name, by_name)
    return [by_name[name] for name in names]
