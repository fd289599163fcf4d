"""Memory that runs out: how to tell, and how to clear what is left of it."""

from __future__ import annotations


def is_out_of_memory(e: Exception) -> bool:
    "Say whether an error means that memory ran out, on a GPU or a CPU."
    import torch

    return (
        isinstance(e, torch.OutOfMemoryError)
        or "can't allocate memory" in str(e)
        or "not enough memory" in str(e)
    )


def clear_memory() -> None:
    "Give back the GPU memory that nothing holds any more."
    import torch

    if torch.cuda.is_available():
        torch.cuda.empty_cache()
