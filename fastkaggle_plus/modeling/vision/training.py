"""Train an image network with fastai's Learner, and predict with it."""

import contextlib
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch

from ..fastai_callbacks import in_temporary_folder, make_callbacks
from ..fastai_learner import import_fastai, quiet_learner
from ..frozen_head import Head
from ..hardware import autocast, train_with_retry
from ..hyperparameters import LEAST_BS
from ..model import Array, Fitted
from .augment import Augment
from .batches import Batches, Examples, on_device
from .fine_tuning import TrainingSettings, fine_tune
from .network import make_net
from .precision import mixed_precision, predicting_precision, training_precision
from .targets import Targets
from .weights import fetch_weights


def best_device() -> Any:
    """Return fastai's default device: the GPU, if there is one."""
    return import_fastai("vision").default_device()


def train_net(
    settings: TrainingSettings,
    examples: Examples,
    targets: Targets,
    augment: Augment,
    *,
    fitted: Callable[[Any], Fitted],  # net -> the model, to validate it after an epoch
    probe: Callable[[Array], Head],  # (n, width) features of the examples -> a head for them
    held: Examples | None = None,  # to validate on, for the callbacks of the settings
) -> tuple[Any, dict[str, Any]]:
    """Return the trained network, and notes on its training.

    When memory runs out it retries once with half the batch, accumulated, and notes that.
    """
    data: dict[str, Any] = dict(examples=examples, targets=targets, augment=augment, held=held)
    train = partial(_train, **data, fitted=fitted, probe=probe)
    return train_with_retry(train, settings, least_bs=LEAST_BS)


def _train(
    settings: TrainingSettings,
    examples: Examples,
    targets: Targets,
    augment: Augment,
    fitted: Callable[[Any], Fitted],
    probe: Callable[[Array], Head],
    held: Examples | None,
) -> tuple[Any, dict[str, Any]]:
    fastai = import_fastai("vision")
    device = best_device()
    arch, pretrained, has_probe = settings.arch, settings.pretrained, settings.head == "probe"
    net = make_net(
        arch, targets.n_out, size=settings.size, pretrained=pretrained, is_linear=has_probe
    ).to(device)
    if has_probe:
        _start_from_probe(net, settings, examples, targets, augment, probe)
    loaded: dict[str, Any] = dict(bs=settings.bs // settings.accum, device=device)
    batches = Batches(examples, augment, **loaded)
    callbacks = make_callbacks(settings.cbs)
    precision = training_precision(settings.precision, net, device, size=settings.size)
    adam = fastai.partial(
        fastai.OptimWrapper, opt=torch.optim.AdamW, betas=(0.9, 0.99), eps=1e-5, fused=True
    )
    learn = quiet_learner(
        fastai,
        batches,
        net,
        targets.loss(label_smoothing=settings.label_smoothing),
        n_epochs=settings.freeze_epochs + settings.epochs,
        n_inputs=1,
        fitted=lambda: fitted(net),
        cbs=callbacks,
        valid=held and Batches(held, augment, **loaded, is_random=False),
        splitter=fastai.default_split,
        wd=settings.wd,
        opt_func=adam,
    )
    if settings.mixup:
        learn.add_cb(fastai.MixUp(settings.mixup))
    if settings.accum > 1:  # fastai counts images, not batches; an epoch has one step or more
        n_images = min(settings.bs, batches.bs * settings.accum, batches.bs * len(batches))
        learn.add_cb(fastai.GradientAccumulation(n_images))
    with contextlib.ExitStack() as block:
        learn.add_cbs(block.enter_context(mixed_precision(precision, device)))
        if callbacks:
            block.enter_context(in_temporary_folder(learn))
        notes = {"precision": precision, **fine_tune(learn, settings)}
    if pretrained:
        notes["weights_from"] = fetch_weights(arch).origin
    return net.eval(), notes


def _start_from_probe(
    net: Any,
    settings: TrainingSettings,
    examples: Examples,
    targets: Targets,
    augment: Augment,
    probe: Callable[[Array], Head],
) -> None:
    """Set the linear layer to the one that is best on the frozen features of whole images."""
    *to_features, linear = net[1]
    frozen = torch.nn.Sequential(net[0], *to_features).eval()
    forward: dict[str, Any] = dict(view=augment.plain, precision=settings.precision)
    features = predict_net(frozen, examples.pixels, examples.rows, **forward)
    coef, intercept = targets.from_head(probe(features))
    with torch.no_grad():
        linear.weight.copy_(torch.from_numpy(coef))
        linear.bias.copy_(torch.from_numpy(intercept))


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
