"""Read from earlier runs of the trials how long they take, and how much of a GPU they need."""

from dataclasses import dataclass

from ..competition import Competition
from .results_csv import measured_seconds
from .stored_run import StoredRun
from .vault import Vault

_MARGIN, _CUDA_MB = 1.25, 600  # for a less lucky order of allocations; for CUDA in each process
_LEAST_SHARE = 0.25  # more than four trials at a time slow one another down


@dataclass(frozen=True)
class EarlierRun:
    """A measured run of a trial, of this version or an older one."""

    fold_s: float  # seconds per fold
    gpu_share: float = 1.0  # of the GPU's memory; 1: all, or not measured


def earlier_runs(comp: Competition, vault: Vault) -> dict[str, EarlierRun]:
    """Return the newest run of each trial by name: of the vault, else of results.csv."""
    found = {}
    if comp.folder:
        for name, (seconds, n_folds) in measured_seconds(comp.folder / "results.csv").items():
            found[name] = EarlierRun(seconds / n_folds)
    for run in reversed(vault.runs(comp.slug)):  # the newest last
        if run.status == "done":
            n_folds = run.facts.get("n_folds") or 1
            found[run.trial] = EarlierRun(run.seconds_s / n_folds, _gpu_share(run))
    return found


def _gpu_share(run: StoredRun) -> float:
    """Return the share of the GPU's memory that a run needed; more than half of it counts as 1."""
    facts = run.facts
    if not facts.get("gpu_mb"):
        return 1.0
    share = (_MARGIN * facts["gpu_peak_mb"] + _CUDA_MB) / facts["gpu_mb"]
    return 1.0 if share > 0.5 else max(share, _LEAST_SHARE)
