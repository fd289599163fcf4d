"""Half precision where the hardware computes it: fp16 on GPUs, bf16 on CPUs that multiply in it."""

from __future__ import annotations

from typing import Any

from ..exceptions import UnknownName

PRECISIONS = ("auto", "fp32", "bf16", "fp16")


def known_precision(precision: str) -> str:
    "Return the word if it means a precision. Raises UnknownName."
    if precision not in PRECISIONS:
        raise UnknownName("precision", precision, PRECISIONS)
    return precision


def autocast(half: str, device: Any) -> Any:
    "Return the block in which torch computes in half precision; fp32 leaves it as it is."
    import torch

    return torch.autocast(
        device.type, torch.float16 if half == "fp16" else torch.bfloat16, enabled=half != "fp32"
    )


def cpu_has_bf16() -> bool:
    "Say whether the CPU multiplies matrices in bf16; without that it only pretends to, slowly."
    import torch

    return any(
        getattr(torch.cpu, f"_is_{name}_supported", bool)() for name in ("amx_tile", "avx512_bf16")
    )
