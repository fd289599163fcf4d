"""How much GPU memory a training step takes, before a sweep finds out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...exceptions import DataError
from ..hyperparameters import check_whole
from .archs import resolve_arch
from .image_size import LEAST_BS, as_size, check_batches
from .network import make_net
from .training import is_out_of_memory


@dataclass(frozen=True)
class GpuFit:
    "What a training step takes."

    arch: str
    size: tuple[int, int]  # (height, width) in pixels
    bs: int  # images a step
    accum: int  # batches a step that fits
    peak_mb: int | None = None  # of GPU memory; None: not measured
    skipped: str = ""  # why not


def gpu_fit(
    arch: str,  # a timm or torchvision name
    size: int | Sequence[int],  # in pixels: a square, or (height, width)
    *,
    bs: int = 64,  # images a step
    accum: int = 1,  # batches a step to begin with; doubled until it fits
    n_out: int = 10,
) -> GpuFit:
    """Train two steps on random pixels in half precision and return the peak of GPU memory, and the accumulation with which it fits.

    Without a GPU nothing runs and the record says so. Raises ConfigError, and DataError when two images do not fit: batch norm needs so many.
    Source: fast.ai, Road to the Top, part 3.
    """
    import torch

    check_batches(bs, accum)
    check_whole(1, n_out=n_out)
    found, seen = resolve_arch(arch), as_size(size)
    if not torch.cuda.is_available():
        return GpuFit(
            found.full_name, seen, bs, accum, skipped="no GPU here: memory was not measured"
        )
    while bs // accum >= LEAST_BS:
        try:
            return GpuFit(
                found.full_name, seen, bs, accum, _peak_mb(found, seen, bs // accum, n_out)
            )
        except (torch.OutOfMemoryError, RuntimeError) as e:
            if not is_out_of_memory(e):
                raise
            accum *= 2
        finally:
            torch.cuda.empty_cache()  # what this process keeps, the trials' processes lack
    raise DataError(
        f"A batch of {LEAST_BS} images of {seen[0]}x{seen[1]} pixels does not fit through {found.full_name} on {torch.cuda.get_device_name()}. "
        "Use a smaller size or network."
    )


def _peak_mb(arch: Any, size: tuple[int, int], bs: int, n_out: int) -> int:
    import torch

    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    net = make_net(arch, n_out, size=size, pretrained=False).cuda()
    opt, scaler = (
        torch.optim.AdamW(net.parameters(), lr=1e-5, fused=True),
        torch.amp.GradScaler("cuda"),
    )
    x = torch.randn(bs, 3, *size, device="cuda").contiguous(memory_format=torch.channels_last)
    for _ in range(2):  # the optimizer's state is there from the second on
        with torch.autocast("cuda", torch.float16):
            loss = torch.nn.functional.cross_entropy(
                net(x), torch.zeros(bs, dtype=torch.long, device="cuda")
            )
        scaler.scale(loss).backward()
        scaler.step(opt)
        scaler.update()
        opt.zero_grad()
    return round(torch.cuda.max_memory_allocated() / 2**20)
