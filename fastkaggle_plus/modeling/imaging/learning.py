"""Training and predicting: fastai's Learner on ready pixels, in half precision where the hardware computes it, with half the batch when memory runs out."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...exceptions import MissingExtra, UnknownName
from .. import progress
from ..model import Array
from .archs import Arch
from .augment import Augment
from .batches import Batches, Examples, on_device
from .nets import has_depthwise, make_net
from .targets import Targets

PRECISIONS = ("auto", "fp32", "bf16", "fp16")
_PREDICT_BS = 128


@dataclass(frozen=True)
class Recipe:
    "How a network is trained."
    arch: Arch
    size: tuple[int, int]     # (height, width) in pixels that it sees
    pretrained: bool = True
    epochs: int = 5
    freeze_epochs: int = 1
    lr: float = 0.01
    bs: int = 64              # images an optimizer step
    accum: int = 1            # batches a step
    wd: float = 0.01
    precision: str = "auto"


def learn_net(recipe: Recipe, examples: Examples, targets: Targets, augment: Augment) -> tuple[Any, dict[str, Any]]:
    """Return the trained network and notes on how it went.

    Out of memory it starts once more with half the batch and twice the accumulation, and notes that.
    """
    import torch

    try:
        return _learn(recipe, examples, targets, augment)
    except (torch.OutOfMemoryError, RuntimeError) as e:
        if not is_out_of_memory(e) or recipe.bs // recipe.accum < 2:
            raise
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    net, notes = _learn(replace(recipe, accum=recipe.accum * 2), examples, targets, augment)
    return net, {**notes, "out_of_memory": f"at {recipe.bs // recipe.accum} images a batch; done with half of them, accumulated"}


def _learn(recipe: Recipe, examples: Examples, targets: Targets, augment: Augment) -> tuple[Any, dict[str, Any]]:
    import torch

    fastai, start = fastai_vision(), time.perf_counter()
    device = fastai.default_device()
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    net = make_net(recipe.arch, targets.n_out, size=recipe.size, pretrained=recipe.pretrained).to(device)
    batches = Batches(examples, augment, bs=max(1, recipe.bs // recipe.accum), device=device)
    no_rows: list[Any] = []   # to validate on: the folds do that
    dls = fastai.DataLoaders(batches, no_rows)
    dls.n_inp = 1   # what follows the images is to be learned
    half = training_precision(recipe.precision, net, device)
    learn = fastai.Learner(dls, net, targets.loss, splitter=fastai.default_split, wd=recipe.wd,
                           opt_func=fastai.partial(fastai.OptimWrapper, opt=torch.optim.AdamW, betas=(0.9, 0.99), eps=1e-5, fused=True))
    learn.remove_cbs([cb for cb in learn.cbs if isinstance(cb, (fastai.ProgressCallback, fastai.Recorder))])   # nobody watches
    learn.add_cbs(_callbacks(fastai, recipe, half, device, batches))
    if recipe.freeze_epochs:
        learn.freeze()
        learn.fit_one_cycle(recipe.freeze_epochs, slice(recipe.lr), pct_start=0.99)
    if recipe.epochs:   # as in fine_tune: half the rate, a hundredth of it for the body
        learn.unfreeze()
        learn.fit_one_cycle(recipe.epochs, slice(recipe.lr / 200, recipe.lr / 2), pct_start=0.3, div=5.0)
    notes: dict[str, Any] = {"train_s": round(time.perf_counter() - start, 3), "precision": half}
    if device.type == "cuda":
        notes["gpu_peak_mb"] = round(torch.cuda.max_memory_allocated() / 2**20)
    return net.eval(), notes


def predict_net(
    net: Any,
    pixels: Array,                  # (n_files, height, width, 3) bytes
    rows: Array,                    # (n,) places of the images to answer
    *,
    view: Callable[[Any], Any],     # bytes of a batch -> what the network takes
    precision: str = "auto",
) -> Array:
    "Return the network's (n, n_out) raw answers."
    import torch

    device = next(net.parameters()).device
    parts = [rows[i:i + _PREDICT_BS] for i in range(0, len(rows), _PREDICT_BS)]
    with torch.inference_mode(), _autocast(predicting_precision(precision, device), device):
        answers = [net(view(batch)).float().cpu().numpy() for batch in on_device(pixels, parts, device)]
    return np.concatenate(answers) if answers else np.empty((0, 0), dtype=np.float32)


def training_precision(asked: str, net: Any, device: Any) -> str:
    "Return fp32, bf16 or fp16: fp16 on GPUs; bf16 on CPUs that compute it, but for depthwise convolutions, whose gradients are slower in it."
    if asked != "auto":
        return _known(asked)
    if device.type == "cuda":
        return "fp16"
    return "bf16" if _cpu_has_bf16() and not has_depthwise(net) else "fp32"


def predicting_precision(asked: str, device: Any) -> str:
    "Return fp32, bf16 or fp16 for inference."
    if asked != "auto":
        return _known(asked)
    return "fp16" if device.type == "cuda" else "bf16" if _cpu_has_bf16() else "fp32"


def as_size(size: int | Sequence[int]) -> tuple[int, int]:
    "Return (height, width) of a size in pixels; one number is a square."
    height, width = (size, size) if isinstance(size, int) else size
    return int(height), int(width)


def fastai_vision() -> Any:
    "Import fastai without the deprecation notices of its own imports. Raises MissingExtra."
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import fastai.vision.all as fastai
    except ImportError as e:
        raise MissingExtra(e.name or "fastai", "vision") from e
    return fastai


def _callbacks(fastai: Any, recipe: Recipe, half: str, device: Any, batches: Batches) -> list[Any]:
    n_epochs = recipe.freeze_epochs + recipe.epochs

    class Epochs(fastai.Callback):
        "Tells who watches."
        done = 0

        def after_epoch(self) -> None:
            Epochs.done += 1
            progress.epoch(Epochs.done, n_epochs)

    class HalfOnCpu(fastai.Callback):
        "fastai's MixedPrecision for a CPU: bf16 needs no scaling of gradients."
        order = fastai.MixedPrecision.order

        def before_batch(self) -> None:
            self.block = _autocast(half, device)
            self.block.__enter__()

        def after_pred(self) -> None:
            self.learn.pred = self.pred.float()

        def after_loss(self) -> None:
            self.block.__exit__(None, None, None)

    found: list[Any] = [Epochs()]
    if half != "fp32":
        found.append(fastai.MixedPrecision(half) if device.type == "cuda" else HalfOnCpu())
    if recipe.accum > 1:
        found.append(fastai.GradientAccumulation(min(recipe.bs, batches.bs * recipe.accum)))   # it counts images, not batches
    return found


def _autocast(half: str, device: Any) -> Any:
    import torch

    dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(half, torch.bfloat16)
    return torch.autocast(device.type, dtype, enabled=half != "fp32")


def _cpu_has_bf16() -> bool:
    "Whether the CPU multiplies matrices in bf16; without that it only pretends to, slowly."
    import torch

    return any(getattr(torch.cpu, f"_is_{name}_supported", bool)() for name in ("amx_tile", "avx512_bf16"))


def is_out_of_memory(e: Exception) -> bool:
    "Say whether an error means that memory ran out, on a GPU or a CPU."
    import torch

    return isinstance(e, torch.OutOfMemoryError) or "can't allocate memory" in str(e) or "not enough memory" in str(e)


def _known(precision: str) -> str:
    if precision not in PRECISIONS:
        raise UnknownName("precision", precision, PRECISIONS)
    return precision
