"""Half precision and out-of-memory errors: the parts of training that depend on the hardware."""

from collections.abc import Callable
from typing import Any

import torch


def autocast(precision: str, device: Any) -> Any:
    """Return torch's autocast context for bf16 or fp16; for fp32 the context changes nothing."""
    dtype = torch.float16 if precision == "fp16" else torch.bfloat16
    return torch.autocast(device.type, dtype, enabled=precision != "fp32")


def cpu_has_bf16() -> bool:
    """Say whether the CPU multiplies matrices in bf16. Other CPUs emulate it, slowly."""
    return any(
        getattr(torch.cpu, f"_is_{name}_supported", bool)() for name in ("amx_tile", "avx512_bf16")
    )


def is_out_of_memory(e: Exception) -> bool:
    """Say whether an error means that memory ran out, on a GPU or a CPU."""
    messages = ("can't allocate memory", "not enough memory")
    return isinstance(e, torch.OutOfMemoryError) or any(m in str(e) for m in messages)


def clear_memory() -> None:
    """Release the GPU memory that no tensor uses any more."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def train_with_retry(
    train: Callable[[int], tuple[Any, dict[str, Any]]],  # accum -> (network, notes)
    *,
    bs: int,  # rows or images per optimizer step
    accum: int,  # batches per step
    least_bs: int,  # smallest batch that is worth a retry
) -> tuple[Any, dict[str, Any]]:
    """Train; when memory runs out, retry once with half the batch and twice the accumulation."""
    try:
        return train(accum)
    except RuntimeError as e:
        if not is_out_of_memory(e) or bs // accum < 2 * least_bs:
            raise
    clear_memory()  # outside of `except`: the error holds the tensors of its frames
    net, notes = train(accum * 2)
    note = f"with batches of {bs // accum}; retried with half of them, accumulated"
    return net, {**notes, "out_of_memory": note}
