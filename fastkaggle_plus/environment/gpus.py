"""Which GPUs this process and those that it starts may use."""

import functools
import itertools
import os
import re
import shutil
import subprocess
from pathlib import Path

_VISIBLE_GPUS = "CUDA_VISIBLE_DEVICES"


def has_gpu() -> bool:
    """Say whether there is an NVIDIA GPU that `CUDA_VISIBLE_DEVICES` does not hide."""
    return bool(visible_gpus())


def visible_gpus() -> tuple[str, ...]:
    """Return the NVIDIA GPUs that this process may use, as `CUDA_VISIBLE_DEVICES` names them.

    This process loads no driver: it could not be forked afterwards.
    """
    named = os.environ.get(_VISIBLE_GPUS)
    if named is None or not _installed_gpus():
        return _installed_gpus()
    names = map(str.strip, named.split(","))
    return tuple(itertools.takewhile(lambda name: name not in ("", "-1"), names))  # as CUDA reads


@functools.cache
def _installed_gpus() -> tuple[str, ...]:
    """Return the numbers of the GPUs, and the UUIDs of those that are parts of one (MIG)."""
    tool = shutil.which("nvidia-smi") or shutil.which("nvidia-smi", path="/usr/lib/wsl/lib")
    try:
        listed = subprocess.run([tool or "", "-L"], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        files = list(Path("/dev").glob("nvidia[0-9]*"))  # those that a container was given
        return tuple(str(number) for number in range(len(files)))  # CUDA counts them from 0
    names: list[str] = []
    for number, part in re.findall(r"^GPU (\d+):|UUID: (MIG-[^)]+)", listed.stdout, re.MULTILINE):
        if part and names and names[-1].isdecimal():
            names.pop()  # this GPU is divided
        names.append(part or number)
    return tuple(names)


def gpu_variables(*names: str) -> dict[str, str]:
    """Return the variables of a process that sees only these GPUs."""
    return {_VISIBLE_GPUS: ",".join(names)}


def named_cards() -> list[str]:
    """Return the GPUs that sweeps use, as 0 and 1, if `FKP_CARDS` names them: 0,1."""
    return [card for card in os.environ.get("FKP_CARDS", "").split(",") if card]


def card_variables(n: int) -> dict[str, str]:
    """Return the variables that let a process see `n` GPUs; none where there are real ones.

    Its sweeps start `n` workers, as on a machine with `n` GPUs, and their models run on the CPU.
    """
    return {} if has_gpu() else {"FKP_CARDS": ",".join(str(i) for i in range(n))}
