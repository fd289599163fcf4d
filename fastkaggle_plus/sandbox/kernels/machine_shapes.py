"""Machine shapes: the accelerator that a kernel asks for, and the number of its GPUs."""

from typing import Any

_ON_CPU = ("none", "cpu", "tpuv232", "tpuv2256")  # the last two are retired
_ONE_GPU = ("nvidial4x1", "nvidiateslaa100", "nvidiah100", "nvidiartxpro6000")
_GPUS = {"nvidial4": 4, **dict.fromkeys(_ONE_GPU, 1)}
_DEFAULT_GPUS = 2  # T4 x2, which also replaces the retired P100


def accelerator(fields: dict[str, Any]) -> str:
    """Return the accelerator that a version needs: gpu, tpu or ""."""
    shape = _shape(fields)
    if shape in _ON_CPU:
        return ""
    if shape.startswith("tpu") or (fields["enableTpu"] and not shape):
        return "tpu"
    return "gpu" if shape or fields["enableGpu"] else ""


def count_gpus(fields: dict[str, Any]) -> int:
    """Return the number of GPUs that a version sees. They are billed as one session."""
    if accelerator(fields) != "gpu":
        return 0
    return _GPUS.get(_shape(fields), _DEFAULT_GPUS)


def _shape(fields: dict[str, Any]) -> str:
    return str(fields["machineShape"] or "").lower()
