"""The splits of a sweep: the one that the competition declares, and another for each repeat."""

from typing import Any

from ..competition import Competition
from ..data import Data
from ..folds import Folds, make_folds
from .trial import Sweep


def folds_for(
    comp: Competition,
    data: Data,
    *,
    n_folds: int = 5,
    seed: int = 42,
    holdout: float | None = None,  # share of the rows in a single holdout, instead of folds
) -> Folds:
    """Return the split of the training rows that the competition declares."""
    split: dict[str, Any] = dict(kind=comp.split.kind, groups=data.groups, time=data.time)
    return make_folds(data.targs, n_folds=n_folds, seed=seed, holdout=holdout, **split)


def split_of(sweep: Sweep, comp: Competition, data: Data, *, repeat: int = 1) -> Folds:
    """Return the split of a trial by its repeat: #2 has the seed after the sweep's, and so on.

    Along time there is one split for all, because it has no seed.
    """
    seed = sweep.seed + repeat - 1
    return folds_for(comp, data, n_folds=sweep.n_folds, seed=seed, holdout=sweep.holdout)


def splits_of(sweep: Sweep, comp: Competition, data: Data) -> dict[int, Folds]:
    """Return the splits of all trials of a sweep, by repeat."""
    repeats = sorted({1, *(trial.repeat for trial in sweep.trials)})
    return {k: split_of(sweep, comp, data, repeat=k) for k in repeats}
