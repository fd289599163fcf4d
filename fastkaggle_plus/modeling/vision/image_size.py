"""Image sizes: read (height, width), and check that an architecture takes them."""

import functools
import warnings
from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np

from ...exceptions import ConfigError
from .archs import Arch, build_meta_net


def as_size(size_px: int | Sequence[int]) -> tuple[int, int]:
    """Return (height, width) in pixels; one number means a square. Raises ConfigError."""
    is_pair = np.iterable(size_px) and not isinstance(size_px, str)
    sides: Any = tuple(size_px) if is_pair else (size_px, size_px)  # type: ignore[arg-type]
    if len(sides) != 2 or not all(isinstance(s, Integral) and int(s) >= 1 for s in sides):
        raise ConfigError(
            f"Expected an image size in px: one whole number, or (height, width); got {size_px!r}."
        )
    return int(sides[0]), int(sides[1])


def size_arguments(arch: Arch, size_px: int | Sequence[int]) -> dict[str, Any]:
    """Return the arguments of `timm.create_model` for images of this size; most nets need none."""
    size = as_size(size_px)
    return {"img_size": size} if arch.is_fixed_size and size != arch.input_px else {}


def check_size(
    arch: Arch,
    size_px: int | Sequence[int],
    *,
    pretrained: bool = True,  # whether the pretrained weights must fit too
) -> None:
    """Raise ConfigError if the net cannot take images of this size, or its weights do not fit.

    Nets of a fixed size can be built for another one. timm then resizes the position embeddings of
    vit, beit and swin, but not of levit, cait and hiera. The check builds the net without memory
    for its weights: it reads no image, downloads nothing, and takes a few tenths of a second, once.
    """
    size = as_size(size_px)
    if size == arch.input_px or not (reason := _failure(arch, size, pretrained)):
        return
    if _failure(arch, arch.input_px, pretrained):
        return  # it fails at its own size too, so the size is not the reason
    weights = " with its pretrained weights" if pretrained else ""
    raise ConfigError(
        f"{arch.full_name} does not take images of {size[0]} x {size[1]} px{weights} ({reason}). "
        f"Train it at its own {arch.input_px[0]} x {arch.input_px[1]}, or use a net that takes any "
        "size: `fkp archs --free-size` lists some."
    )


@functools.cache
def _failure(arch: Arch, size: tuple[int, int], pretrained: bool) -> str:
    """Return why a net cannot be built, loaded or run at a size; "" if it can."""
    import timm
    import torch

    net = build_meta_net(arch.source, arch.full_name)
    with torch.device("meta"), torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that loading has no effect here
        try:
            if arguments := size_arguments(arch, size):
                if pretrained:
                    state = {"state_dict": dict(net.state_dict()), "custom_load": False}
                    arguments |= {"pretrained": True, "pretrained_cfg_overlay": state}
                net = timm.create_model(arch.full_name, **arguments)
            net.eval()(torch.zeros(1, 3, *size))
        except Exception as e:  # nets raise errors of any type here
            lines = [line.strip() for line in str(e).splitlines() if line.strip()]
            lines = lines or [type(e).__name__]
            return lines[1 if len(lines) > 1 and lines[0].endswith(":") else 0][:120]
    return ""
