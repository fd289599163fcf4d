"""Which sizes an architecture takes: tried on nets without storage, before any image is read or any weight downloaded."""

from __future__ import annotations

import functools
import warnings
from typing import Any

from ...exceptions import ConfigError
from .archs import Arch, build_shell

__all__ = ["check_size", "size_arguments"]


def size_arguments(
    arch: Arch,
    size_px: int
    | tuple[int, int],  # of the images it will see: height and width, or one number for a square
) -> dict[str, Any]:
    "Return what `timm.create_model` needs besides, so that the net takes images of this size: nothing for a net that takes any."
    size = _pair(size_px)
    return {"img_size": size} if arch.is_fixed_size and size != arch.input_px else {}


def check_size(
    arch: Arch,
    size_px: int
    | tuple[int, int],  # of the images it will see: height and width, or one number for a square
    *,
    pretrained: bool = True,  # whether the pretrained weights must fit too
) -> None:
    """Raise ConfigError if the net cannot work at this size, or its pretrained weights do not stretch to it.

    Nets of a fixed size are made for another one, and timm resizes position embeddings of vit, beit and swin; it does not for levit, cait and
    hiera. timm itself judges, with shapes alone: a few tenths of a second, once.
    """
    size = _pair(size_px)
    if min(size) < 1:
        raise ConfigError(
            f"Images of {size[0]} x {size[1]} px were asked for. Give height and width in pixels."
        )
    if (
        size == arch.input_px
        or not (why := _refusal(arch, size, pretrained))
        or _refusal(arch, arch.input_px, pretrained)
    ):
        return  # what fails at the net's own size too, says nothing of the size
    own = f"{arch.input_px[0]} x {arch.input_px[1]}"
    raise ConfigError(
        f"{arch.full_name} does not take images of {size[0]} x {size[1]} px{' with its pretrained weights' if pretrained else ''} ({why}). "
        f"Train it at its own {own}, or take a net of free size: `fkp archs --free-size` lists some."
    )


def _pair(size_px: int | tuple[int, int]) -> tuple[int, int]:
    return (size_px, size_px) if isinstance(size_px, int) else (size_px[0], size_px[1])


@functools.cache
def _refusal(arch: Arch, size: tuple[int, int], pretrained: bool) -> str:
    "Return why a net without storage is not made, loaded or run at a size; nothing if it is."
    import timm
    import torch

    shell = build_shell(arch.source, arch.full_name)
    with torch.device("meta"), torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # loading shapes has no effect, and says so
        try:
            if more := size_arguments(arch, size):
                if pretrained:
                    more |= {
                        "pretrained": True,
                        "pretrained_cfg_overlay": {
                            "state_dict": dict(shell.state_dict()),
                            "custom_load": False,
                        },
                    }
                shell = timm.create_model(arch.full_name, **more)
            shell.eval()(torch.zeros(1, 3, *size))
        except Exception as e:
            # each net refuses in its own way, and each refusal is the answer here
            lines = [line.strip() for line in str(e).splitlines() if line.strip()]
            return (
                (lines[1] if len(lines) > 1 and lines[0].endswith(":") else lines[0])[:120]
                if lines
                else type(e).__name__
            )
    return ""
