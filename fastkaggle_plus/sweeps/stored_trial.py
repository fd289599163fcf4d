"""A trial of the vault with what it ran on: competition, data, folds and model, to fit it again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..competition import Competition, load_comp
from ..data import Data
from ..exceptions import DataError
from ..folds import Folds, rows_fingerprint
from ..predictions import Predictions
from .trial import Trial
from .trial_versions import pick_run
from .vault import Vault

if TYPE_CHECKING:
    from ..modeling import Model


@dataclass(frozen=True, eq=False)
class StoredTrial:
    """A finished trial, ready to be fitted again."""

    trial: Trial
    comp: Competition
    data: Data
    folds: Folds
    model: Model
    preds: Predictions  # as they were stored, in the order of the data


def load_trial(
    vault: Vault,
    slug: str,
    name: str,  # of a trial, or of a version of it, see `trial_versions`
) -> StoredTrial:
    """Return a finished trial with its data, folds and model.

    Raises UnknownName, and DataError when its data is not here or has changed.
    """
    from ..modeling.registry import build

    run = pick_run(vault, vault.runs(slug), name)
    if not {"trial", "competition", "data"} <= set(run.facts):
        raise DataError(f"The vault does not know how {name!r} was trained. Run it again.")
    if not Path(path := run.facts["data"]).is_dir():
        raise DataError(
            f"The data of {name!r} is not here any more: there is no folder {path}. Run it again."
        )
    trial, comp = Trial(**run.facts["trial"]), load_comp(run.facts["competition"])
    data = comp.read(path)
    stored = replace(vault.load(run), name=name).scored_by(comp.scoring)
    preds = stored.aligned(data.ids, data.test_ids, data.vocab)
    facts = preds.about["split"], preds.about["split_seed"]
    folds = Folds(preds.folds, *facts, rows_fingerprint(data.targs))
    return StoredTrial(trial, comp, data, folds, build(trial.model, trial.params, comp), preds)
