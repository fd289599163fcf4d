"""What a kernel's run needs: its code, inputs and limits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class KernelJob:
    """One execution of a kernel version."""

    session: int
    code: str
    kernel_type: str  # notebook | script
    language: str  # python; others end in an error
    inputs: Mapping[str, Sequence[Path]]  # path below input/ -> folders that are merged
    internet: bool
    accelerator: str  # gpu | tpu | "" for none
    timeout_s: float
    n_cards: int = 0  # GPUs that it sees
    is_rerun: bool = False  # scoring run of a code competition
    # path below input/ -> folder whose files replace those there in a scoring run
    hidden: Mapping[str, Path] = field(default_factory=dict)
