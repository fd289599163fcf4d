"""Train an image network with fastai's Learner, and predict with it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch

from ..fastai_learner import import_fastai, quiet_learner
from ..hardware import autocast, train_with_retry
from ..hyperparameters import LEAST_BS
from ..model import Array, Fitted
from .archs import Arch
from .augment import Augment
from .batches import Batches, Examples, on_device
from .network import make_net
from .precision import mixed_precision, predicting_precision, training_precision
from .targets import Targets
from .weights import fetch_weights


@dataclass(frozen=True)
class TrainingSettings:
    """How a network is trained."""

    arch: Arch
    size: tuple[int, int]  # (height, width) in pixels of its input
    pretrained: bool = True
    epochs: int = 5
    freeze_epochs: int = 1
    lr: float = 0.01
    bs: int = 64  # images per optimizer step
    accum: int = 1  # batches per step
    wd: float = 0.01
    precision: str = "auto"


def train_net(
    settings: TrainingSettings,
    examples: Examples,
    targets: Targets,
    augment: Augment,
    *,
    fitted: Callable[[Any], Fitted],  # net -> the model, to validate it after an epoch
) -> tuple[Any, dict[str, Any]]:
    """Return the trained network, and notes on its training.

    When memory runs out it retries once with half the batch, accumulated, and notes that.
    """
    train = partial(_train, examples=examples, targets=targets, augment=augment, fitted=fitted)
    return train_with_retry(train, settings, least_bs=LEAST_BS)


def _train(
    settings: TrainingSettings,
    examples: Examples,
    targets: Targets,
    augment: Augment,
    fitted: Callable[[Any], Fitted],
) -> tuple[Any, dict[str, Any]]:
    fastai = import_fastai("vision")
    device = fastai.default_device()
    arch, pretrained = settings.arch, settings.pretrained
    net = make_net(arch, targets.n_out, size=settings.size, pretrained=pretrained).to(device)
    batches = Batches(examples, augment, bs=settings.bs // settings.accum, device=device)
    precision = training_precision(settings.precision, net, device, size=settings.size)
    adam = fastai.partial(
        fastai.OptimWrapper, opt=torch.optim.AdamW, betas=(0.9, 0.99), eps=1e-5, fused=True
    )
    learn = quiet_learner(
        fastai,
        batches,
        net,
        targets.loss,
        n_epochs=settings.freeze_epochs + settings.epochs,
        n_inputs=1,
        fitted=lambda: fitted(net),
        splitter=fastai.default_split,
        wd=settings.wd,
        opt_func=adam,
    )
    if settings.accum > 1:  # fastai counts images, not batches; an epoch has one step or more
        n_images = min(settings.bs, batches.bs * settings.accum, batches.bs * len(batches))
        learn.add_cb(fastai.GradientAccumulation(n_images))
    with mixed_precision(precision, device) as callbacks:
        learn.add_cbs(callbacks)
        _fine_tune(learn, settings)
    notes = {"precision": precision}
    if pretrained:
        notes["weights_from"] = fetch_weights(arch).origin
    return net.eval(), notes


def _fine_tune(learn: Any, settings: TrainingSettings) -> None:
    """Train as fastai's `fine_tune`: the head; then all, the body at a hundredth of the rate."""
    lr = settings.lr
    if settings.freeze_epochs:
        learn.freeze()
        learn.fit_one_cycle(settings.freeze_epochs, slice(lr), pct_start=0.99)
    if settings.epochs:
        learn.model.zero_grad()  # of the last frozen batches, if they were too few for a step
        learn.unfreeze()
        learn.fit_one_cycle(settings.epochs, slice(lr / 200, lr / 2), pct_start=0.3, div=5.0)


def predict_net(
    net: Any,
    pixels: Array,  # (n_files, height, width, 3) bytes
    rows: Array,  # (n,) places in `pixels` of the images to predict
    *,
    view: Callable[[Any], Any],  # bytes of a batch -> input of the network
    bs: int = 128,  # images per batch
    precision: str = "auto",
) -> Array:
    """Return the network's (n, n_out) raw outputs."""
    device = next(net.parameters()).device
    parts = [rows[i : i + bs] for i in range(0, len(rows), bs)]
    outputs = []
    with torch.inference_mode():
        for batch in on_device(pixels, parts, device):
            x = view(batch)  # in full precision: half of it would move the places that are read
            with autocast(predicting_precision(precision, device, size=x.shape[-2:]), device):
                outputs.append(net(x).float().cpu().numpy())
    return np.concatenate(outputs)
