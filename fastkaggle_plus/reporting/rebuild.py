"""Write the report of a run again, from its vault: nothing is trained or submitted."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..competition import Competition, load_comp
from ..exceptions import DataError
from ..predictions import Predictions
from ..sweeps.board import board
from ..sweeps.default_trials import declared_ensemble, trials_of
from ..sweeps.stored_run import StoredRun
from ..sweeps.trial import Trial
from ..sweeps.vault import find_vault
from .report import write_report


def rebuild_report(
    slug: str,
    folder: str | Path,  # the folder of the run: its vault, and its last report if there is one
    *,
    is_live: bool = False,  # whether the run used the real Kaggle
) -> Path:
    """Write report.html with every trial of a vault, and return its path.

    Scores of the submission are those of the last run. Raises DataError when there is no vault, or
    no finished trial in it.
    """
    folder = Path(folder)
    vault = find_vault(folder, slug, live=is_live)
    runs = vault.runs(slug)
    where = next((r.facts for r in runs if "competition" in r.facts), {})
    comp = load_comp(where.get("competition") or slug)
    vault.scoring = comp.scoring
    members, failed = vault.latest(slug)
    if not members:
        raise DataError(
            f"{folder / 'vault'} has no finished trial of {slug}, so there is nothing to report. "
            f"`fkp board {slug}` shows the errors of failed trials."
        )
    path = where.get("data", "")
    data = comp.read(path) if path and Path(path).is_dir() else None
    declared = trials_of(comp, data=data)
    trials = _trials(declared, runs)
    order = [*(t.name for t in trials), *(m.name for m in members)]
    members.sort(key=lambda preds: order.index(preds.name))  # of equal scores the first is best
    file = folder / "report.json"
    kept: dict[str, Any] = json.loads(file.read_text("utf-8")) if file.exists() else {}
    return write_report(
        folder / "report.html",
        comp=comp,
        rows=board(members, stopped=list(vault.pruned(slug).values())),
        members=members,
        ensemble=_ensemble(comp, members, declared, trials),
        failed=failed,
        left_out=data.left_out if data else {},
        is_live=is_live,
        trials=trials,
        data=data,
        **kept,
    )


def _trials(declared: Sequence[Trial], runs: list[StoredRun]) -> list[Trial]:
    """Return the declared trials, then those that only the vault knows."""
    trials = {t.name: t for t in declared}
    for run in runs:
        if run.trial not in trials and "trial" in run.facts:
            trials[run.trial] = Trial(**run.facts["trial"])
    return list(trials.values())


def _ensemble(
    comp: Competition,
    members: list[Predictions],
    declared: Sequence[Trial],
    stored: Sequence[Trial],  # also of other lists of trials
) -> Predictions | None:
    """Combine the declared members that finished, None if they cannot be combined."""
    names, stored_names = ({t.name for t in ts if t.in_ensemble} for ts in (declared, stored))
    chosen = [m for m in members if m.name in names]
    chosen = chosen or [m for m in members if m.name in stored_names]
    try:
        return declared_ensemble(comp, chosen)
    except DataError:  # no member, or one holdout where the method needs folds
        return None
