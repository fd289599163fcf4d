"""Explain a trial: fit it again on its folds, ask all questions, and write the page of answers."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from slugify import slugify

from ..exceptions import DataError
from ..sweeps.stored_trial import load_trial
from ..sweeps.vault import Vault

if TYPE_CHECKING:
    from ..modeling import Explanation


def explain_trial(
    vault: Vault,
    slug: str,
    name: str,  # of a trial in the vault, or of a version of it
    *,
    row: str | None = None,  # id of the training row to take apart; None: the worst prediction
    drop: Sequence[Sequence[str]] = (),  # groups of columns to try without
    refits: int = 6,  # most refits for the columns that can go
    is_live: bool = False,  # for the command on the page
) -> tuple[Explanation, Path]:
    """Return the answers, and the path of their page.

    Raises UnknownName, and DataError for a competition that is no table, and for data that changed.
    """
    from ..modeling import explain_model, fit_fold_models
    from ..modeling.seeding import seeded
    from ..reporting import write_explanation

    found = load_trial(vault, slug, name)
    if found.comp.kind != "tabular":
        raise DataError(
            f"Cannot explain {name}: expected a table, and {slug} is a competition of "
            f"{found.comp.kind}. See its worst predictions instead: fkp report {slug}"
        )
    with seeded(int(found.trial.fingerprint(), 16)):  # as the trial ran
        models = fit_fold_models(
            found.model, found.data, found.folds, metric=found.comp.scoring, name=name
        )
    explanation = explain_model(models, row=row, drop=drop, refits=refits)
    words = ["fkp", "explain", slug, name, *(["--live"] if is_live else [])]
    file = write_explanation(
        vault.folder.parent / f"explain-{slugify(name)}.html",
        explanation,
        title=found.comp.title or slug,
        again=shlex.join(words),
    )
    return explanation, file
