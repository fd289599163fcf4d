"""Half precision and out-of-memory errors: the parts of training that depend on the hardware."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch

Train = Callable[[Any], tuple[Any, dict[str, Any]]]  # settings -> (network, notes)


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


def train_with_retry(
    train: Train,
    settings: Any,  # with `bs`, rows or images per optimizer step, and `accum`, batches per step
    *,
    least_bs: int,  # smallest batch that is worth a retry
) -> tuple[Any, dict[str, Any]]:
    """Train; when memory runs out, retry once with half the batch and twice the accumulation.

    Adds the seconds and, with a GPU, the peak of its memory to the notes.
    """
    bs, accum = settings.bs, settings.accum
    try:
        return _measured(train, settings)
    except RuntimeError as e:
        if not is_out_of_memory(e) or bs // accum < 2 * least_bs:
            raise
    torch.cuda.empty_cache()  # outside of `except`: the error holds the tensors of its frames
    net, notes = _measured(train, replace(settings, accum=accum * 2))
    note = f"with batches of {bs // accum}; retried with half of them, accumulated"
    return net, {**notes, "out_of_memory": note}


def _measured(train: Train, settings: Any) -> tuple[Any, dict[str, Any]]:
    start, has_gpu = time.perf_counter(), torch.cuda.is_available()
    if has_gpu:
        torch.cuda.reset_peak_memory_stats()
    net, notes = train(settings)
    notes = {"train_s": round(time.perf_counter() - start, 3), **notes}
    if has_gpu:
        notes["gpu_peak_mb"] = round(torch.cuda.max_memory_allocated() / 2**20)
    return net, notes
