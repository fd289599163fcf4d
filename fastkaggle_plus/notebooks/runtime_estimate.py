"""Estimate how long a notebook will run on Kaggle, from measured trials or a QUICK dry run."""

import ast
import contextlib
import heapq
import re
import tempfile
import time
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from ..competition import Competition
from ..kaggle_client.kernels.metadata import MAX_TIMEOUT_S
from .execute import executed
from .quick import ROWS, SMALL, is_replaced

HOUR_S = 3600
CODE_COMPETITION_S = 9 * HOUR_S  # the usual limit of code competitions
START_S = 60.0  # a session's start: the image, the inputs, the imports
MARGIN = 1.5  # Kaggle's CPU cores are slower than a desktop's
_LIST = re.compile(  # trials_of(comp), trials_of(comp, data=data), (comp, X), (comp, "X")
    r"""\btrials_of\(comp(?:\)|,\s*data=|,\s*(?P<variable>\w+)\))"""
    r"""|\btrials_of\(comp,\s*["'](?P<quoted>\w+)["']"""
)


def limit_s(comp: Competition, metadata: Mapping[str, Any] | None = None) -> float:
    """Return the seconds after which Kaggle stops a notebook on `comp`."""
    timeout_s = float((metadata or {}).get("session_timeout_seconds") or MAX_TIMEOUT_S)
    return min(timeout_s, CODE_COMPETITION_S if comp.code_competition else MAX_TIMEOUT_S)


def lists_trained(notebook: Any) -> tuple[str, ...]:
    """Return the lists of trials.py that a notebook runs, each in a sweep of its own.

    A notebook that names none is expected to run TRIALS.
    """
    found = []
    for source in _code(notebook):
        for match in _LIST.finditer(source):
            name = match["quoted"] or _setting(notebook, match["variable"] or "")
            if name or match["variable"] is None:
                found.append(name or "TRIALS")
    return tuple(dict.fromkeys(found)) or ("TRIALS",)


def folds_fitted(notebook: Any) -> int:
    """Return how often a notebook fits each trial: folds (a holdout is one) times repeats."""
    n_folds = 1 if _setting(notebook, "HOLDOUT") else int(_setting(notebook, "N_FOLDS") or 5)
    return n_folds * int(_setting(notebook, "REPEATS") or 1)


def _code(notebook: Any) -> list[str]:
    return [str(cell.source) for cell in notebook.cells if cell.cell_type == "code"]


def _setting(notebook: Any, name: str) -> Any:
    """Return the plain value that a notebook assigns to a name; None if there is none."""
    for source in _code(notebook):
        for line in re.findall(rf"(?m)^{name} = (.+)$", source) if name else ():
            with contextlib.suppress(SyntaxError, ValueError):
                return ast.literal_eval(line)
    return None


def forecast_s(
    measured: Mapping[str, tuple[float, int]],  # trial -> (seconds, folds), see `measured_seconds`
    *sweeps: Collection[str],  # names of the trials of each sweep; one sweep runs after the other
    n_folds: int = 5,
    workers: int = 2,  # trials at once on the cores; Kaggle has two to four cores
    n_gpus: int = 0,  # of the machine
    on_gpu: Collection[str] = (),  # names of the trials that use a GPU
) -> float | None:
    """Return the expected seconds of a session on Kaggle; None if none of the trials was measured.

    Kaggle bills these seconds once, for any number of GPUs. As in `run_local`, each GPU runs one
    trial at a time, and the other trials run on the cores at the same time.
    """
    fold_s = {t: seconds / n for t, (seconds, n) in measured.items()}
    known = [fold_s[name] for names in sweeps for name in names if name in fold_s]
    if not known:
        return None
    typical = sum(known) / len(known)  # expected of a trial without a measurement
    total_s = 0.0
    for names in sweeps:
        queues: dict[bool, list[float]] = {True: [], False: []}
        for name in names:
            queues[n_gpus > 0 and name in on_gpu].append(fold_s.get(name, typical) * n_folds)
        total_s += max(
            _side_by_side_s(queues[True], n_gpus), _side_by_side_s(queues[False], workers)
        )
    return START_S + MARGIN * total_s


def _side_by_side_s(seconds: list[float], n: int) -> float:
    """Return the seconds until n workers have done all trials, the longest first."""
    ends = [0.0] * max(n, 1)
    for trial_s in sorted(seconds, reverse=True):
        heapq.heapreplace(ends, ends[0] + trial_s)
    return max(ends)


def forecast_from_dry_run(
    seconds_s: float,  # duration of the QUICK run
    trials: Iterable[Any],  # the Trial records, without QUICK
    *,
    rows: int,  # training rows
    kept: int = ROWS,  # training rows of the QUICK run
) -> float | None:
    """Return the expected seconds on Kaggle of the whole notebook.

    The time grows with the rows, and with the epochs and trees that QUICK cut. None if there are no
    trials, or if QUICK replaced a network by a tiny one: then the dry run says nothing.
    """
    trials = list(trials)
    if not trials or any(is_replaced(t.model, t.params) for t in trials):
        return None
    work = max(_work_ratio(t.params) for t in trials)
    return START_S + MARGIN * seconds_s * max(rows / kept, 1.0) * work


def _work_ratio(params: Mapping[str, Any]) -> float:
    """Return how many times more work a trial does than its QUICK version."""
    ratio = 1.0
    for name, value in params.items():
        if isinstance(value, Mapping):
            ratio *= _work_ratio(value)
        elif name in SMALL and isinstance(value, (int, float)):
            ratio *= max(value / SMALL[name], 1.0)
    return ratio


def dry_run(
    notebook: Any,  # rendered with quick=True
    *,
    folder: str | Path | None = None,  # where it runs and writes; None: a temporary folder
    timeout_s: float = 600.0,  # of a single cell
) -> float:
    """Run a notebook here, in its own kernel, and return the seconds. Raises NotebookError."""
    with tempfile.TemporaryDirectory() as temporary:
        start = time.perf_counter()
        executed(notebook, folder=folder or temporary, timeout_s=timeout_s)
        return time.perf_counter() - start
