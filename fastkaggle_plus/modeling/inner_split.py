"""Split the rows that a model is fitted on, by the competition's own rule, to stop it early."""

import numpy as np

from ..data import Table
from ..folds import make_folds
from .model import Array


def inner_split(
    table: Table,
    *,
    share: float = 0.2,  # of the rows, to validate on
    seed: int = 42,
) -> tuple[Array, Array]:
    """Return positions of (rows to fit, rows to validate) within a table.

    Along time the latest rows are validated, with groups whole groups, else a random share: of each
    class, or of each tenth of the values. Too few groups or times for that: a random share.
    """
    kind = "stratified"
    if table.time is not None and len(np.unique(table.time)) > 1:
        kind = "time"
    elif table.groups is not None and len(set(map(str, table.groups))) > 1:
        kind = "group"
    held = make_folds(
        np.asarray(table.targs),
        holdout=share,
        seed=seed,
        kind=kind,
        groups=table.groups,
        time=table.time,
    ).assignment
    return np.flatnonzero(held < 0), np.flatnonzero(held == 0)
