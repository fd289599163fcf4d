"""How an image network is fine-tuned: its head, its learning rates, and for how many steps."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...exceptions import ConfigError, UnknownName
from ..fastai_callbacks import Callbacks
from ..hyperparameters import check_batches, check_range, check_whole
from ..learning_rate import find_rates, stop_at_rates
from .archs import Arch

HEADS = ("auto", "fastai", "probe")
SMALL_BS, LARGE_BS = 8, 64  # fewest and most images per step where `bs` is not declared
_STEPS = 300  # of the whole network where `epochs` is not declared
_CPU_IMAGES = 2_000  # that a fit on a CPU sees, about 40 s; one epoch may be more
_LEAST_GPU_EPOCHS = 5
_LR = {"fastai": 0.01, "probe": 5e-4}  # largest rate of the head
_PROBE_DIV = 25.0  # of a head that starts from the probe: fastai's default of `fit_one_cycle`
_BODY_LR = 0.3  # share of it for the body, when the head starts from the probe


@dataclass(frozen=True)
class TrainingSettings:
    """How a network is trained."""

    arch: Arch
    size: tuple[int, int]  # (height, width) in pixels of its input
    pretrained: bool
    head: str  # fastai | probe
    epochs: int
    freeze_epochs: int
    lr: float | str  # a number, or "find"
    bs: int  # images per optimizer step
    accum: int  # batches per step
    wd: float
    label_smoothing: float
    mixup: float
    precision: str
    lr_mult: float = 100.0  # of `fine_tune`, as the next two
    pct_start: float = 0.3
    div: float = 5.0
    cbs: Callbacks = ()  # see fastai_callbacks


def check_training(
    *,
    epochs: object,
    freeze_epochs: object,
    lr: object,
    bs: int | None,
    accum: int,
    head: str,
    label_smoothing: float,
    mixup: float,
    lr_mult: float,
    pct_start: float,
    div: float,
    pretrained: bool,
    also: Sequence[str],
    **_: object,  # checked elsewhere
) -> None:
    """Check arguments of vision_model. Raises UnknownName and ConfigError."""
    if head not in HEADS:
        raise UnknownName("head", head, HEADS)
    check_whole(0, epochs=0 if epochs is None else epochs, freeze_epochs=freeze_epochs)
    if lr is not None and lr != "find":
        check_range(0, lr=lr)
    check_range(0, 0.9, label_smoothing=label_smoothing)
    check_range(0, mixup=mixup)
    check_range(1, lr_mult=lr_mult, div=div)
    check_range(0.01, 0.99, pct_start=pct_start)
    check_batches(SMALL_BS if bs is None else bs, accum)
    if also and mixup:
        raise ConfigError(
            f"MixUp blends the labels of one target, got mixup = {mixup} with also = {also}. "
            "Use mixup = 0, or leave out `also`."
        )
    if head == "probe" and not pretrained:
        raise ConfigError(
            'head = "probe" needs pretrained features, got pretrained = False. Use head = "fastai".'
        )


def chosen_settings(
    arch: Arch,
    size: tuple[int, int],
    n_images: int,
    *,
    pretrained: bool,
    has_gpu: bool,
    head: str,
    epochs: int | None,
    freeze_epochs: int,
    lr: float | str | None,
    bs: int | None,
    **others: Any,  # of TrainingSettings
) -> TrainingSettings:
    """Return settings with a value for each None.

    Where no epochs are declared, there are some 300 steps: many epochs of few images, one epoch of
    many. On a GPU there are five epochs or more; on a CPU fewer, if they would take too long.
    Declared epochs keep fastai's head and batch size.
    """
    is_declared = epochs is not None
    if head == "auto":
        head = "fastai" if is_declared or not pretrained else "probe"
    if bs is None:
        bs = LARGE_BS if is_declared else _batch_size(n_images)
    if epochs is None:
        epochs = round(_STEPS / max(1, n_images // bs))
        if has_gpu:
            epochs = max(_LEAST_GPU_EPOCHS, epochs)
        else:
            epochs = max(1, min(epochs, _CPU_IMAGES // max(1, n_images)))
    lr = _LR[head] if lr is None else lr
    schedule = (pretrained, head, epochs, freeze_epochs if head == "fastai" else 0, lr, bs)
    return TrainingSettings(arch, size, *schedule, **others)


def _batch_size(n_images: int) -> int:
    """Return the power of two with which one epoch has the most steps up to some 300."""
    near = 2 ** round(math.log2(max(n_images, 1) / _STEPS))
    return int(min(max(near, SMALL_BS), LARGE_BS))


def fine_tune(learn: Any, settings: TrainingSettings) -> dict[str, Any]:
    """Train, and return notes on it.

    fastai's head: as fastai's `fine_tune`: first the head, then all, with rates for the body that
    are `lr_mult` times smaller. A head that starts from the probe: all from the first step, gently,
    and batch norm keeps the statistics that the probe saw: those of small batches would disturb the
    head at once. Source: Kumar et al. 2022, Fine-tuning can distort pretrained features (LP-FT).
    """
    if settings.head == "probe":
        learn.add_cb(_frozen_statistics())
    if settings.freeze_epochs:
        learn.freeze()
    stop_at_rates(learn)
    lr = find_rates(learn).valley if settings.lr == "find" else float(settings.lr)
    if settings.freeze_epochs:
        learn.fit_one_cycle(settings.freeze_epochs, slice(lr), pct_start=0.99)
    if settings.epochs:
        learn.model.zero_grad()  # of the last frozen batches, if they were too few for a step
        learn.unfreeze()
        if settings.head == "probe":
            rates, div = slice(lr * _BODY_LR, lr), _PROBE_DIV
        else:
            rates, div = slice(lr / 2 / settings.lr_mult, lr / 2), settings.div
        learn.fit_one_cycle(settings.epochs, rates, pct_start=settings.pct_start, div=div)
    names = ("head", "epochs", "freeze_epochs", "bs")
    return {**{name: getattr(settings, name) for name in names}, "lr": lr}


def _frozen_statistics() -> Any:
    """Return a callback that keeps the means and variances of batch norm; its weights train."""
    from fastai.callback.core import Callback
    from torch.nn.modules.batchnorm import _BatchNorm

    def before_train(callback: Any) -> None:
        for module in callback.learn.model.modules():
            if isinstance(module, _BatchNorm):
                module.eval()

    return Callback(before_train=before_train)  # runs after TrainEvalCallback, by its `order`
