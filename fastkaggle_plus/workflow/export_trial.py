"""Export trials: fit them for use, save the model, and check that it predicts the same again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from slugify import slugify

from ..ensembling import ensemble
from ..exceptions import DataError
from ..sweeps.stored_trial import load_trial
from ..sweeps.trial_versions import find_predictions
from ..sweeps.vault import Vault

if TYPE_CHECKING:
    from ..modeling import FinalModel

_CHECKED = 20  # test rows that are predicted by the saved model too
_SAME = 1e-6


def export_trials(
    vault: Vault,
    slug: str,
    names: Sequence[str],  # of one trial, or of the members of an ensemble
    *,
    to: Path | None = None,  # default: models/NAME next to the vault
    keep_folds: bool = False,  # keep the models of the folds, instead of a refit on all rows
    method: str = "mean",  # of the ensemble
) -> tuple[FinalModel, Path]:
    """Return the model as it loads, and its folder.

    Raises UnknownName, and DataError for data that changed, for an ensemble that is no weighted
    mean, and for a saved model whose predictions differ.
    """
    from ..modeling import fit_final, load_model
    from ..modeling.seeding import seeded

    preds = find_predictions(vault, slug, names)  # refuses other rows and folds
    found = [load_trial(vault, slug, name) for name in names]
    first, label = found[0], " + ".join(names)
    stored = [trial.preds for trial in found]
    combined = ensemble(preds, method=method) if len(preds) > 1 else None
    with seeded(int(first.trial.fingerprint(), 16)):  # as the trial ran
        final = fit_final(
            [trial.model for trial in found],
            first.data,
            folds=first.folds if keep_folds else None,
            name=label,
            predictions=stored,
            combined=combined,
            comp=first.comp,
        )
    folder = final.save(to or vault.folder.parent / "models" / slugify(label))
    rows = first.data.test.take(np.arange(min(_CHECKED, len(first.data.test))))
    loaded = load_model(folder, run_code=True)  # the code that has just run
    if not np.allclose(loaded.predict(rows), final.predict(rows), rtol=0, atol=_SAME):
        raise DataError(
            f"The model saved in {folder} gives other predictions than before. Do not use it. Its "
            "own code may depend on something that is not in the folder, such as a global variable."
        )
    return loaded, folder
