"""Half precision for networks that look at images: which to take, and how fastai's Learner computes in it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from ..precision import autocast, cpu_has_bf16, known_precision

_NARROWEST_PX = 64  # of images in bf16 on CPUs: where a convolution steps over maps of two pixels across, oneDNN 3.12 reads memory that nobody wrote


def training_precision(
    asked: str,
    net: Any,
    device: Any,
    *,
    size: tuple[int, int],  # (height, width) in pixels of what the network sees
) -> str:
    "Return fp32, bf16 or fp16: fp16 on GPUs; bf16 on CPUs that compute it, but for depthwise convolutions, whose gradients are slower in it."
    if asked != "auto":
        return known_precision(asked)
    if device.type == "cuda":
        return "fp16"
    return "bf16" if _cpu_has_bf16(size) and not _has_depthwise(net) else "fp32"


def predicting_precision(asked: str, device: Any, *, size: tuple[int, int]) -> str:
    "Return fp32, bf16 or fp16 for inference."
    if asked != "auto":
        return known_precision(asked)
    return "fp16" if device.type == "cuda" else "bf16" if _cpu_has_bf16(size) else "fp32"


@contextlib.contextmanager
def half_precision(half: str, device: Any) -> Iterator[list[Any]]:
    "Give the callbacks for a Learner; whatever ends the training, torch is back in full precision afterwards."
    with contextlib.ExitStack() as block:
        yield [] if half == "fp32" else [_callback(half, device, block)]


def _callback(half: str, device: Any, block: contextlib.ExitStack) -> Any:
    import torch
    from fastai.callback.core import L
    from fastai.callback.fp16 import MixedPrecision

    class Half(MixedPrecision):  # type: ignore[misc]
        "fastai's, on any device: it knows GPUs only, and leaves the block open when a batch fails."

        def before_fit(self) -> None:
            self.learn.scaler, self.scales = (
                torch.amp.GradScaler(device.type, enabled=half == "fp16"),
                L(),
            )  # bf16 has the range of fp32

        def before_batch(self) -> None:
            block.enter_context(autocast(half, device))

        def after_loss(self) -> None:
            block.close()

        def after_fit(self) -> None:
            self.learn.scaler, self.scales = None, None

    return Half()


def _cpu_has_bf16(size: tuple[int, int]) -> bool:
    "Whether the CPU multiplies matrices in bf16, and rightly at this size."
    return min(size) >= _NARROWEST_PX and cpu_has_bf16()


def _has_depthwise(net: Any) -> bool:
    import torch

    return any(
        isinstance(m, torch.nn.Conv2d) and m.groups > 1 and m.groups == m.in_channels
        for m in net.modules()
    )
