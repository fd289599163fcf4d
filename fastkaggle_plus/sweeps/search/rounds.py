"""Run a search in rounds: ask for a batch of trials, run it as a sweep, learn from it."""

import time
from pathlib import Path
from typing import Any

from ...competition import Competition
from ...exceptions import ConfigError
from ...ui.records import Records
from ..engines import DEFAULT, find_engine
from ..pruning import FoldScores
from ..sweep_bar import with_bar
from ..trial import Sweep, TrialResult
from ..vault import Vault
from .space import Search
from .study import Study


@with_bar
def run_search(
    search: Search,
    comp: Competition,
    path: str | Path,  # the competition's data
    *,
    vault: Vault,
    n_folds: int = 5,
    seed: int = 42,  # of the folds
    holdout: float | None = None,  # share of the rows in one holdout, where nothing is pruned
    test: str = "auto",  # who predicts test rows, see `cross_validate`
    on: str = DEFAULT,  # where trials run: local | ray | kaggle
    stop_after_s: float | None = None,  # seconds after which no trial starts
    **options: Any,  # of `run_local` or the other place, but no other budget
) -> Records[TrialResult]:
    """Run a search, and return one result per trial, in the order in which they were suggested.

    Each trial is stored in the vault, also one that is stopped after a fold. The suggestions depend
    on the seed, the batch and the results alone: after a kill the same call suggests the same
    trials, finds them in the vault, and continues. It ends early when the first batch fails, and at
    `stop_after_s`. Raises ConfigError, DataError, MissingExtra.
    """
    if budget := sorted({"max_trials", "max_epochs"} & set(options)):
        raise ConfigError(f"A search takes no {budget[0]}: its budget is n_trials of the Search.")
    options["data"] = options.get("data") or comp.read(path)
    study, run, start = Study(search, comp.scoring), find_engine(on), time.monotonic()
    results = study.results
    while trials := study.ask(min(search.batch, search.n_trials - len(results))):
        earlier: list[FoldScores] = [
            r.predictions.fold_scores for r in results.values() if r.predictions
        ]
        prune = search.prune == "folds"
        sweep = Sweep(comp.slug, trials, n_folds, seed, holdout, test, earlier, prune)
        if stop_after_s is not None:
            options["stop_after_s"] = max(start + stop_after_s - time.monotonic(), 0)
        for result in run(sweep, comp, path, vault=vault, **options):
            study.add(result)
        if any(r.not_run for r in results.values()) or all(r.failed for r in results.values()):
            break
    return Records(results.values())
