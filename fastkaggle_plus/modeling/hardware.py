"""Half precision and GPU memory: the parts of training that depend on the hardware."""

import contextlib
import gc
import time
from collections.abc import Callable, Iterator
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


@contextlib.contextmanager
def limited_gpu(
    share: float,  # of its memory, for this process; 1: all
    facts: dict[str, Any],  # receives the GPU's name, its memory and the peak of the block
) -> Iterator[None]:
    """Use a part of the GPU in a block, and give all memory back afterwards; no GPU: do nothing.

    The first block of a process starts CUDA, which takes seconds.
    """
    if not torch.cuda.is_available():
        yield
        return
    torch.cuda.set_per_process_memory_fraction(share)
    torch.cuda.reset_peak_memory_stats()
    try:
        yield
    finally:
        peak_mb = round(torch.cuda.max_memory_allocated() / 2**20)
        memory_mb = (
            torch.cuda.get_device_properties(torch.cuda.current_device()).total_memory // 2**20
        )
        facts |= {"gpu": torch.cuda.get_device_name(), "gpu_mb": memory_mb, "gpu_peak_mb": peak_mb}
        gc.collect()
        torch.cuda.empty_cache()


def gpu_precision(device: Any) -> str:
    """Return bf16, or fp16 for GPUs without units for it, such as T4 and P100."""
    return "bf16" if torch.cuda.get_device_capability(device) >= (8, 0) else "fp16"


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
