"""Which runs of a vault can be compared: those on the rows and split of the newest."""

from collections.abc import Callable, Sequence

import numpy as np

from ..predictions import Predictions, recipe_of
from .stored_run import StoredRun


def current_check(
    runs: Sequence[StoredRun],  # newest first
    load: Callable[[StoredRun], Predictions],
) -> Callable[[StoredRun, Predictions], bool]:
    """Return a check of finished runs: can this one be compared with the newest?

    It has the same rows and split. For "name #2" this is the split whose seed follows that of
    the newest run, and so on, and it is a repeat of the newest run of "name".
    """
    done = sorted((r for r in runs if r.status == "done"), key=lambda r: r.repeat)
    originals = {r.trial: r.recipe for r in reversed(done) if r.repeat == 1}
    firsts = {run.repeat: load(run) for run in done[:1]}

    def is_current(run: StoredRun, preds: Predictions) -> bool:
        number, newest = next(iter(firsts.items()))
        if run.repeat != number:
            is_next = _base_seed(preds, run.repeat) == _base_seed(newest, number)
            is_same = run.recipe == originals.get(recipe_of(run.trial)[0], run.recipe)
            if not (is_next and is_same):
                return False
        is_same_data = np.array_equal(newest.ids, preds.ids)
        return is_same_data and is_same_split(preds, firsts.setdefault(run.repeat, preds))

    return is_current


def is_same_split(a: Predictions, b: Predictions) -> bool:
    """Say whether two runs have the same rows and folds."""
    return np.array_equal(a.ids, b.ids) and np.array_equal(a.folds, b.folds)


def _base_seed(preds: Predictions, repeat: int) -> int:
    """Return the seed of the sweep's split, from that of a repeat."""
    return int(preds.about.get("split_seed", 0)) - repeat
