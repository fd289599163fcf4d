"""Trial and Sweep: declared candidates, as plain data that travels inside a notebook, to a worker and into a hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from ..exceptions import ConfigError


@dataclass(frozen=True)
class Trial:
    """One declared configuration.

    `model` is "file.function": a function that returns a Model, looked up in the competition's folder first and in
    `fastkaggle_plus.modeling` next, as in "forest.forest_model".
    """

    name: str
    model: str
    params: dict[str, Any] = field(
        default_factory=dict
    )  # keyword arguments of the function; JSON values only
    hypothesis: str = ""  # what this trial is to find out, in one line
    in_ensemble: bool = True  # declared before scoring: whether it joins the ensemble

    def __post_init__(self) -> None:
        if self.model.count(".") != 1 or not all(
            part.isidentifier() for part in self.model.split(".")
        ):
            raise ConfigError(
                f'Trial {self.name!r}: model = {self.model!r} does not read as "file.function", like "forest.forest_model".'
            )
        try:
            json.dumps(self.params)
        except TypeError as e:
            raise ConfigError(
                f"Trial {self.name!r}: params must be plain data (numbers, strings, lists), and {e}."
            ) from e

    def fingerprint(self) -> str:
        "Return a hash of what changes the result: the model and its parameters, not the name."
        return hashlib.sha256(
            json.dumps([self.model, self.params], sort_keys=True).encode()
        ).hexdigest()[:16]


@dataclass(frozen=True)
class Sweep:
    "A set of trials on one competition, with one split."

    slug: str
    trials: tuple[Trial, ...]
    n_folds: int = 5
    seed: int = 42
    holdout: float | None = None  # the share of one declared holdout, instead of folds

    def __post_init__(self) -> None:
        names = [t.name for t in self.trials]
        if self.holdout is not None and not 0.01 <= self.holdout <= 0.9:
            raise ConfigError(
                f"holdout is the share of rows to hold out, between 0.01 and 0.9, and {self.holdout} came."
            )
        if twice := {n for n in names if names.count(n) > 1}:
            raise ConfigError(
                f"Two trials are called {sorted(twice)[0]!r}. A table and an ensemble tell trials apart by name."
            )

    def to_json(self) -> str:
        "Return the sweep as JSON."
        return json.dumps(asdict(self), sort_keys=True)


def sweep_from_json(text: str) -> Sweep:
    "Read what `Sweep.to_json` wrote."
    facts = json.loads(text)
    return Sweep(**{**facts, "trials": as_trials(facts["trials"])})


def as_trials(rows: Iterable[dict[str, Any]]) -> tuple[Trial, ...]:
    "Return trials from plain dictionaries."
    return tuple(Trial(**row) for row in rows)
