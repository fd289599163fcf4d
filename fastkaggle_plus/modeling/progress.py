"""Progress callbacks: a model reports how far its training is, the caller's function receives it.

with progress.send_to(print):             # run_trial, a notebook: print is the callback
    with progress.step(1, 5, "fold"):     # cross_validate: the second of five folds
        progress.report_epoch(3, 8)       # a model: 3 of 8 epochs are done
                                          # -> print(0.275, "fold 2/5, epoch 3/8")
"""

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar

Callback = Callable[[float, str], None]  # (share done, 0 to 1; position: "fold 2/5, epoch 3/8")

_CALLBACK: ContextVar[Callback | None] = ContextVar("progress_callback", default=None)


@contextlib.contextmanager
def send_to(callback: Callback) -> Iterator[None]:
    """Call `callback` with every report of the block."""
    token = _CALLBACK.set(callback)
    try:
        yield
    finally:
        _CALLBACK.reset(token)


def has_callback() -> bool:
    """Say whether reports are received."""
    return _CALLBACK.get() is not None


def report(
    done: float,  # in any unit
    total: float,  # in the same unit
    position: str,  # as in "epoch 3/8"
) -> None:
    """Report progress. Without a callback this does nothing."""
    if (callback := _CALLBACK.get()) is not None:
        callback(min(max(done / total, 0.0), 1.0) if total else 1.0, position)


def report_epoch(done: int, n_epochs: int) -> None:
    """Report the number of finished epochs."""
    report(done, n_epochs, f"epoch {done}/{n_epochs}")


@contextlib.contextmanager
def step(
    k: int,  # from 0
    n_steps: int,  # equally long steps
    noun: str = "",  # fold | member | seed
    *,
    position: str = "",  # how it is named; default: "noun k/n"
) -> Iterator[None]:
    """Report the progress inside the block as step k of n."""
    outer, position = _CALLBACK.get(), position or f"{noun} {k + 1}/{n_steps}"
    if outer is None:
        yield
        return
    outer(k / n_steps, position)
    with send_to(lambda share, inner: outer((k + share) / n_steps, f"{position}, {inner}")):
        yield
    outer((k + 1) / n_steps, position)
