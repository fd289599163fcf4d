"""Choose the precision of image networks, and train fastai's Learner in it."""

import contextlib
from collections.abc import Iterator
from typing import Any

import torch

from ..hardware import autocast, cpu_has_bf16

# Below this size oneDNN 3.12 reads uninitialised memory in bf16, where a convolution with a stride
# works on maps that are two pixels wide.
_NARROWEST_PX = 64


def training_precision(
    asked: str,  # auto | fp32 | bf16 | fp16
    net: Any,
    device: Any,
    *,
    size: tuple[int, int],  # (height, width) in pixels of the network's input
) -> str:
    """Return fp32, bf16 or fp16.

    "auto" is fp16 on GPUs, and bf16 on CPUs that compute it, except for depthwise convolutions,
    whose gradients are slower in it.
    """
    if asked == "auto" and device.type != "cuda":
        convolutions = [m for m in net.modules() if isinstance(m, torch.nn.Conv2d)]
        if any(m.groups > 1 and m.groups == m.in_channels for m in convolutions):
            return "fp32"
    return predicting_precision(asked, device, size=size)


def predicting_precision(asked: str, device: Any, *, size: tuple[int, int]) -> str:
    """Return fp32, bf16 or fp16 for inference."""
    if asked != "auto":
        return asked
    if device.type == "cuda":
        return "fp16"
    return "bf16" if min(size) >= _NARROWEST_PX and cpu_has_bf16() else "fp32"


@contextlib.contextmanager
def mixed_precision(precision: str, device: Any) -> Iterator[list[Any]]:
    """Yield the callbacks for a Learner; leave torch in full precision, also after an error."""
    with contextlib.ExitStack() as block:
        yield [] if precision == "fp32" else [_callback(precision, device, block)]


def _callback(precision: str, device: Any, block: contextlib.ExitStack) -> Any:
    from fastai.callback.core import L
    from fastai.callback.fp16 import MixedPrecision

    class AnyDeviceMixedPrecision(MixedPrecision):  # type: ignore[misc]
        """fastai's works on GPUs only, and leaves autocast on when a batch fails."""

        def before_fit(self) -> None:
            is_fp16 = precision == "fp16"  # bf16 has the range of fp32 and needs no scaling
            self.learn.scaler = torch.amp.GradScaler(device.type, enabled=is_fp16)
            self.scales = L()

        def before_batch(self) -> None:
            block.enter_context(autocast(precision, device))

        def after_loss(self) -> None:
            block.close()

        def after_fit(self) -> None:
            self.learn.scaler, self.scales = None, None

    return AnyDeviceMixedPrecision()
