"""Measure the GPU memory of a training step, before a sweep runs out of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ...exceptions import DataError
from ...ui.records import Shown
from ..hardware import autocast, is_out_of_memory
from ..hyperparameters import LEAST_BS, check_batches, check_whole
from .archs import resolve_arch
from .image_size import as_size
from .network import make_net


@dataclass(frozen=True, repr=False)
class GpuFit(Shown):
    """The memory that a training step takes."""

    arch: str
    size: tuple[int, int]  # (height, width) in pixels
    bs: int  # images per step
    accum: int  # batches per step that fit
    peak_mb: int | None = None  # of GPU memory; None: not measured
    skipped: str = ""  # why it was not measured

    def _facts(self) -> dict[str, object]:
        return {
            "arch": self.arch,
            "image": f"{self.size[0]} x {self.size[1]} px",
            "batch": f"{self.bs} in {self.accum} parts" if self.accum > 1 else self.bs,
            "GPU memory": f"{self.peak_mb} MB" if self.peak_mb else self.skipped,
        }


def gpu_fit(
    arch: str,  # a timm or torchvision name
    size: int | Sequence[int],  # in pixels: a square, or (height, width)
    *,
    bs: int = 64,  # images per step
    accum: int = 1,  # batches per step to begin with; doubled until it fits
    n_out: int = 10,
) -> GpuFit:
    """Train two steps on random pixels in half precision; return the peak of GPU memory.

    The record also has the accumulation that fits. Without a GPU nothing runs, and the record says
    so. Raises ConfigError, and DataError when not even two images fit: batch norm needs two.
    Source: fast.ai, Road to the Top, part 3.
    """
    check_batches(bs, accum)
    check_whole(1, n_out=n_out)
    found, size = resolve_arch(arch), as_size(size)
    if not torch.cuda.is_available():
        reason = "no GPU here: memory was not measured"
        return GpuFit(found.full_name, size, bs, accum, skipped=reason)
    while bs // accum >= LEAST_BS:
        try:
            peak_mb = _peak_mb(found, size, bs // accum, n_out)
            return GpuFit(found.full_name, size, bs, accum, peak_mb)
        except RuntimeError as e:
            if not is_out_of_memory(e):
                raise
            accum *= 2
        finally:
            torch.cuda.empty_cache()  # for the processes of the trials
    raise DataError(
        f"A batch of {LEAST_BS} images of {size[0]} x {size[1]} px does not fit through "
        f"{found.full_name} on {torch.cuda.get_device_name()}. Use a smaller size or network."
    )


def _peak_mb(arch: Any, size: tuple[int, int], bs: int, n_out: int) -> int:
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    net = make_net(arch, n_out, size=size, pretrained=False).cuda()
    opt = torch.optim.AdamW(net.parameters(), lr=1e-5, fused=True)
    scaler = torch.amp.GradScaler("cuda")
    x = torch.randn(bs, 3, *size, device="cuda").contiguous(memory_format=torch.channels_last)
    y = torch.zeros(bs, dtype=torch.long, device="cuda")
    for _ in range(2):  # the optimizer's state exists from the second step on
        with autocast("fp16", x.device):
            loss = torch.nn.functional.cross_entropy(net(x), y)
        scaler.scale(loss).backward()
        scaler.step(opt)
        scaler.update()
        opt.zero_grad()
    return round(torch.cuda.max_memory_allocated() / 2**20)
