"""fastai's callbacks, declared by name in a trial or given as objects."""

import contextlib
import copy
import io
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from ..exceptions import ConfigError, UnknownName, needs_extra

# "CutMix", {"EarlyStoppingCallback": {"patience": 3}}, a function that makes one, or an object
Callbacks = Sequence[Any]


def check_callbacks(
    cbs: Callbacks,
    part: str,  # tabular | vision: the extra that installs fastai
) -> list[Any]:
    """Return the callbacks as plain data; an object or a function is only named.

    Raises UnknownName, and ConfigError for arguments that a callback does not take.
    """
    if isinstance(cbs, str | dict):
        raise ConfigError(
            f"cbs = {cbs!r}: expected a list, got one callback. Give cbs = [{cbs!r}]."
        )
    if cbs:
        with needs_extra(part):
            make_callbacks(cbs)
    return [cb if isinstance(cb, str | dict) else _name_of(cb) for cb in cbs]


def make_callbacks(cbs: Callbacks) -> list[Any]:
    """Return new callbacks: a fit changes them, and each fold has a fit of its own."""
    made = []
    for cb in cbs:
        if isinstance(cb, str):
            cb = {cb: {}}
        if isinstance(cb, dict):
            made += [_called(_class_of(name), arguments) for name, arguments in cb.items()]
        elif isinstance(cb, _base()):
            made.append(copy.deepcopy(cb))
        else:
            made.append(_called(cb, {}))
    return made


def need_validation(cbs: Sequence[Any]) -> bool:
    """Say whether a made callback reads the validation loss, as early stopping does."""
    if not cbs:
        return False
    from fastai.callback.tracker import TrackerCallback

    return any(isinstance(cb, TrackerCallback) for cb in cbs)


def why_stopped(learn: Any) -> str:
    """Return why fastai's own callbacks end a training; empty: another callback did."""
    from fastai.callback.tracker import EarlyStoppingCallback, TerminateOnNaNCallback

    for cb in learn.cbs:
        if isinstance(cb, EarlyStoppingCallback) and cb.wait >= cb.patience:
            loss = "loss of the inner validation rows" if cb.monitor == "valid_loss" else cb.monitor
            return f"no better {loss} for {cb.patience} epoch{'s' * (cb.patience > 1)}"
        if isinstance(cb, TerminateOnNaNCallback) and not bool(learn.loss.isfinite()):
            return "the loss is not a finite number"
    return ""


def saved_epoch(learn: Any) -> int:
    """Return the epoch of this fit that SaveModelCallback saved, and restores; 0: there is none."""
    from fastai.callback.tracker import SaveModelCallback

    for cb in learn.cbs:
        if isinstance(cb, SaveModelCallback) and not cb.every_epoch and not cb.at_end:
            return [values[cb.idx] for values in learn.recorder.values].index(cb.best) + 1
    return 0


@contextlib.contextmanager
def in_temporary_folder(learn: Any) -> Iterator[None]:
    """Let a Learner write its files to a folder that ends with the block, and print nothing.

    Callbacks as SaveModelCallback write weights and print lines; fits in parallel would share both.
    """
    path = learn.path
    with contextlib.ExitStack() as block:
        learn.path = Path(block.enter_context(tempfile.TemporaryDirectory()))
        block.enter_context(contextlib.redirect_stdout(io.StringIO()))
        block.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore", DeprecationWarning)  # of fastai's own code
        try:
            yield
        finally:
            learn.path = path


def _base() -> type:
    from fastai.callback.core import Callback

    return Callback  # type: ignore[no-any-return]


def _class_of(name: str) -> Callable[..., Any]:
    everything, base = vars(import_module("fastai.callback.all")), _base()
    known = {n: c for n, c in everything.items() if isinstance(c, type) and issubclass(c, base)}
    if name not in known:
        raise UnknownName("fastai callback", name, known)
    return known[name]


def _called(make: Callable[..., Any], arguments: dict[str, Any]) -> Any:
    try:
        return make(**arguments)
    except (TypeError, AssertionError) as e:
        raise ConfigError(
            f"Cannot make the callback {_name_of(make)}: {e}. Give a name, as in cbs = "
            '["SaveModelCallback"], or its arguments: [{"EarlyStoppingCallback": {"patience": 3}}].'
        ) from e


def _name_of(cb: Any) -> str:
    return str(getattr(cb, "__name__", type(cb).__name__))
