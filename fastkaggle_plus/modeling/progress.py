"""How far a model is: what it tells while it fits, and who hears it.

with progress.heard_by(print):            # run_trial, a notebook
    with progress.part(1, 5, "fold"):     # cross_validate: the second of five folds
        progress.epoch(3, 8)              # a model: 3 of 8 epochs are done -> 0.275, "fold 2/5, epoch 3/8"
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

Hear = Callable[[float, str], None]  # (share done, from 0 to 1; where it is, in words)

_HEAR: ContextVar[Hear | None] = ContextVar("hear", default=None)


@contextlib.contextmanager
def heard_by(hear: Hear) -> Iterator[None]:
    "Have `hear` called with all that is told in the block."
    token = _HEAR.set(hear)
    try:
        yield
    finally:
        _HEAR.reset(token)


def tell(
    done: float,  # what is done, in any unit
    total: float,  # of how much
    what: str,  # where that is, as in "epoch 3/8"
) -> None:
    "Tell how far the work at hand is. It costs nothing where nobody listens."
    if (hear := _HEAR.get()) is not None:
        hear(min(max(done / total, 0.0), 1.0) if total else 1.0, what)


def epoch(done: int, n: int) -> None:
    "Tell that so many epochs are done."
    tell(done, n, f"epoch {done}/{n}")


@contextlib.contextmanager
def part(
    k: int,  # from 0
    n: int,  # of so many equal parts
    what: str,  # fold | member | seed
) -> Iterator[None]:
    "Let what is told in the block count as the k-th of n equal parts."
    outer, where = _HEAR.get(), f"{what} {k + 1}/{n}"
    if outer is None:
        yield
        return
    outer(k / n, where)
    with heard_by(lambda share, detail: outer((k + share) / n, f"{where}, {detail}")):
        yield
    outer((k + 1) / n, where)


def epoch_callback() -> Any:
    "Return a fastai callback that tells each epoch."
    from fastai.callback.core import Callback

    class TellEpochs(Callback):  # type: ignore[misc]
        "Tells each epoch as it ends."

        def after_epoch(self) -> None:
            epoch(self.epoch + 1, self.n_epoch)

    return TellEpochs()
