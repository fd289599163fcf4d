"""Training and predicting: fastai's Learner on ready pixels, in half precision where the hardware computes it, with half the batch when memory runs out."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .. import progress
from ..fastai_import import import_fastai
from ..model import Array
from ..out_of_memory import clear_memory, is_out_of_memory
from ..precision import autocast
from .archs import Arch
from .augment import Augment
from .batches import Batches, Examples, on_device
from .image_size import LEAST_BS
from .network import make_net
from .precision import half_precision, predicting_precision, training_precision
from .targets import Targets
from .weights import fetch_weights


@dataclass(frozen=True)
class Recipe:
    "How a network is trained."

    arch: Arch
    size: tuple[int, int]  # (height, width) in pixels that it sees
    pretrained: bool = True
    epochs: int = 5
    freeze_epochs: int = 1
    lr: float = 0.01
    bs: int = 64  # images an optimizer step
    accum: int = 1  # batches a step
    wd: float = 0.01
    precision: str = "auto"


def learn_net(
    recipe: Recipe, examples: Examples, targets: Targets, augment: Augment
) -> tuple[Any, dict[str, Any]]:
    """Return the trained network and notes on how it went.

    Out of memory it starts once more with half the batch and twice the accumulation, and notes that.
    """
    import torch

    try:
        return _learn(recipe, examples, targets, augment)
    except (torch.OutOfMemoryError, RuntimeError) as e:
        if not is_out_of_memory(e) or recipe.bs // recipe.accum < 2 * LEAST_BS:
            raise
    clear_memory()
    net, notes = _learn(replace(recipe, accum=recipe.accum * 2), examples, targets, augment)
    return net, {
        **notes,
        "out_of_memory": f"at {recipe.bs // recipe.accum} images a batch; done with half of them, accumulated",
    }


def _learn(
    recipe: Recipe, examples: Examples, targets: Targets, augment: Augment
) -> tuple[Any, dict[str, Any]]:
    import torch

    fastai, start = import_fastai("vision"), time.perf_counter()
    device = fastai.default_device()
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    net = make_net(recipe.arch, targets.n_out, size=recipe.size, pretrained=recipe.pretrained).to(
        device
    )
    batches = Batches(examples, augment, bs=recipe.bs // recipe.accum, device=device)
    no_rows: list[Any] = []  # to validate on: the folds do that
    dls = fastai.DataLoaders(batches, no_rows)
    dls.n_inp = 1  # what follows the images is to be learned
    half = training_precision(recipe.precision, net, device, size=recipe.size)
    learn = fastai.Learner(
        dls,
        net,
        targets.loss,
        splitter=fastai.default_split,
        wd=recipe.wd,
        opt_func=fastai.partial(
            fastai.OptimWrapper, opt=torch.optim.AdamW, betas=(0.9, 0.99), eps=1e-5, fused=True
        ),
    )
    learn.remove_cbs(
        [cb for cb in learn.cbs if isinstance(cb, (fastai.ProgressCallback, fastai.Recorder))]
    )  # nobody watches
    learn.add_cbs([_tell_epochs(fastai, recipe.freeze_epochs + recipe.epochs)])
    if recipe.accum > 1:
        an_epoch = batches.bs * len(batches)  # a step at least
        learn.add_cb(
            fastai.GradientAccumulation(min(recipe.bs, batches.bs * recipe.accum, an_epoch))
        )  # it counts images, not batches
    with half_precision(half, device) as callbacks:
        learn.add_cbs(callbacks)
        if recipe.freeze_epochs:
            learn.freeze()
            learn.fit_one_cycle(recipe.freeze_epochs, slice(recipe.lr), pct_start=0.99)
        if recipe.epochs:  # as in fine_tune: half the rate, a hundredth of it for the body
            net.zero_grad()  # of batches that were too few for another step of the frozen epochs
            learn.unfreeze()
            learn.fit_one_cycle(
                recipe.epochs, slice(recipe.lr / 200, recipe.lr / 2), pct_start=0.3, div=5.0
            )
    notes: dict[str, Any] = {"train_s": round(time.perf_counter() - start, 3), "precision": half}
    if recipe.pretrained:
        notes["weights_from"] = fetch_weights(recipe.arch).origin
    if device.type == "cuda":
        notes["gpu_peak_mb"] = round(torch.cuda.max_memory_allocated() / 2**20)
    return net.eval(), notes


def predict_net(
    net: Any,
    pixels: Array,  # (n_files, height, width, 3) bytes
    rows: Array,  # (n,) places of the images to answer
    *,
    view: Callable[[Any], Any],  # bytes of a batch -> what the network takes
    bs: int = 128,  # images at once
    precision: str = "auto",
) -> Array:
    "Return the network's (n, n_out) raw answers."
    import torch

    device = next(net.parameters()).device
    parts = [rows[i : i + bs] for i in range(0, len(rows), bs)]
    answers = []
    with torch.inference_mode():
        for batch in on_device(pixels, parts, device):
            seen = view(batch)  # in full precision: half of it would shake the places that are read
            with autocast(predicting_precision(precision, device, size=seen.shape[-2:]), device):
                answers.append(net(seen).float().cpu().numpy())
    return np.concatenate(answers) if answers else np.empty((0, 0), dtype=np.float32)


def _tell_epochs(fastai: Any, n_epochs: int) -> Any:
    "A callback that counts the frozen epochs and the others as one row."
    done = itertools.count(1)

    class Epochs(fastai.Callback):  # type: ignore[misc, name-defined]
        "Tells who listens."

        def after_epoch(self) -> None:
            progress.epoch(next(done), n_epochs)

    return Epochs()
