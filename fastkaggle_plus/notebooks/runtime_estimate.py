"""Estimate how long a notebook will run on Kaggle, from measured trials or a QUICK dry run."""

import re
import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..competition import Competition
from ..exceptions import NotebookError, needs_extra
from ..kaggle_client.kernels.metadata import MAX_TIMEOUT_S
from .quick import ROWS, SMALL, is_replaced

HOUR_S = 3600
CODE_COMPETITION_S = 9 * HOUR_S  # the usual limit of code competitions
START_S = 60.0  # a session's start: the image, the inputs, the imports
MARGIN = 1.5  # Kaggle's CPU cores are slower than a desktop's
_OTHER_LIST = re.compile(r"""(?:\btrials_of\(comp,\s*|\btrain_all\()["'](?!TRIALS["'])\w+["']""")


def limit_s(comp: Competition, metadata: Mapping[str, Any] | None = None) -> float:
    """Return the seconds after which Kaggle stops a notebook on `comp`."""
    timeout_s = float((metadata or {}).get("session_timeout_seconds") or MAX_TIMEOUT_S)
    return min(timeout_s, CODE_COMPETITION_S if comp.code_competition else MAX_TIMEOUT_S)


def runs_trials(notebook: Any) -> bool:
    """Say whether a notebook runs only the list TRIALS, as `fkp run` does."""
    return not any(
        cell.cell_type == "code" and _OTHER_LIST.search(cell.source) for cell in notebook.cells
    )


def forecast_s(
    measured: Mapping[str, tuple[float, int]],  # trial -> (seconds, folds), see `measured_seconds`
    trials: list[str] | tuple[str, ...],  # names of the trials that the notebook runs
    *,
    n_folds: int = 5,
    workers: int = 2,  # trials at once; Kaggle has two to four cores
) -> float | None:
    """Return the expected seconds on Kaggle; None if none of the trials was measured."""
    found = [measured[name] for name in trials if name in measured]
    seconds = [total_s / folds * n_folds for total_s, folds in found]
    if not seconds:
        return None
    # Expect a trial without a measurement to take as long as the others.
    seconds += [sum(seconds) / len(seconds)] * (len(trials) - len(seconds))
    return START_S + MARGIN * max(sum(seconds) / workers, max(seconds))


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
    with needs_extra("notebooks"):
        import nbformat
        from nbclient import NotebookClient
        from nbclient.exceptions import CellExecutionError, CellTimeoutError
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(folder or temporary)
        place.mkdir(parents=True, exist_ok=True)
        copy = nbformat.from_dict(notebook)
        resources = {"metadata": {"path": str(place)}}
        start = time.perf_counter()
        try:
            NotebookClient(
                copy, timeout=timeout_s, kernel_name="python3", resources=resources
            ).execute()
        except (CellExecutionError, CellTimeoutError) as e:
            lines = str(e).strip().splitlines() or [type(e).__name__]
            done = sum(1 for c in copy.cells if c.cell_type == "code" and c.get("execution_count"))
            raise NotebookError(
                f"The dry run failed in code cell {done} after "
                f"{time.perf_counter() - start:.0f} s: {lines[-1]}"
            ) from e
        return time.perf_counter() - start
