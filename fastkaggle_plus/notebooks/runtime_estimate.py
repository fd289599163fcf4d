"""How long a notebook will run on Kaggle: from trials that were measured, or from a QUICK dry run here."""

from __future__ import annotations

import csv
import re
import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..competition import Competition
from ..exceptions import MissingExtra, NotebookError
from .quick import ROWS, SMALL, is_replaced

HOUR_S = 3600
SESSION_S = 12 * HOUR_S  # Kaggle's longest session
CODE_COMPETITION_S = 9 * HOUR_S  # what code competitions usually allow
START_S = 60.0  # a session's start: the image, the inputs, the imports
MARGIN = 1.5  # Kaggle's CPU cores against a desktop's
_OTHER_LIST = re.compile(r"""(?:\btrials_of\(comp,\s*|\btrain_all\()["'](?!TRIALS["'])\w+["']""")


def limit_s(comp: Competition, metadata: Mapping[str, Any] | None = None) -> float:
    "Return the seconds after which Kaggle stops a notebook on `comp`."
    asked = (metadata or {}).get("session_timeout_seconds")
    return min(
        float(asked or SESSION_S), CODE_COMPETITION_S if comp.code_competition else SESSION_S
    )


def runs_trials(
    notebook: Any,  # nbformat's NotebookNode
) -> bool:
    "Say whether a notebook runs the trials that `fkp run` does, TRIALS, and not other lists of the competition's trials.py."
    return not any(
        cell.cell_type == "code" and _OTHER_LIST.search(cell.source) for cell in notebook.cells
    )


def measured_seconds(
    file: str | Path,  # a results.csv, as a run writes it
) -> dict[str, tuple[float, int]]:
    "Return (seconds, folds) by trial; nothing where there is no such file."
    if not Path(file).is_file():
        return {}
    with Path(file).open(newline="", encoding="utf-8") as f:
        rows = [r for r in csv.DictReader(f) if r.get("seconds") and r.get("n_folds")]
    return {r["trial"]: (float(r["seconds"]), int(r["n_folds"])) for r in rows}


def forecast_s(
    measured: Mapping[str, tuple[float, int]],  # trial -> (seconds, folds), see `measured_seconds`
    trials: list[str] | tuple[str, ...],  # names of the trials that the notebook runs
    *,
    n_folds: int = 5,
    workers: int = 2,  # trials at once: Kaggle has two cores for them, or four
) -> float | None:
    "Return the expected seconds on Kaggle, a longer trial counted whole; None if not one of the trials was measured."
    known = [
        seconds / folds * n_folds
        for name in trials
        if name in measured
        for seconds, folds in [measured[name]]
    ]
    if not known:
        return None
    known += [sum(known) / len(known)] * (
        len(trials) - len(known)
    )  # one that was never run is expected to take as long as the others
    return START_S + MARGIN * max(sum(known) / workers, max(known))


def forecast_from_dry_run(
    seconds_s: float,  # what the QUICK run took
    trials: Iterable[Any],  # the Trial records, as they are without QUICK
    *,
    rows: int,  # training rows; QUICK takes a slice of them
    kept: int = ROWS,  # which had about so many
) -> float | None:
    """Return the expected seconds on Kaggle of the whole notebook: work grows with the rows, and with the epochs and trees that QUICK cut.

    None where a tiny network stood for a trial's own, or no trial is known: then the dry run does not tell.
    """
    trials = list(trials)
    if not trials or any(is_replaced(t.model, t.params) for t in trials):
        return None
    return START_S + MARGIN * seconds_s * max(rows / kept, 1.0) * max(
        _cut(t.params) for t in trials
    )


def _cut(params: Mapping[str, Any]) -> float:
    "How many times the work is of what QUICK leaves of it."
    factor = 1.0
    for name, value in params.items():
        if isinstance(value, Mapping):
            factor *= _cut(value)
        elif name in SMALL and isinstance(value, (int, float)):
            factor *= max(value / SMALL[name], 1.0)
    return factor


def dry_run(
    notebook: Any,  # rendered with quick=True
    *,
    folder: str | Path | None = None,  # where it runs and leaves its output; None: a temporary one
    timeout_s: float = 600.0,  # of a single cell
) -> float:
    "Run a notebook here, in a kernel of its own, and return the seconds it took. Raises NotebookError with the cell that failed."
    try:
        import nbformat
        from nbclient import NotebookClient
        from nbclient.exceptions import CellExecutionError, CellTimeoutError
    except ModuleNotFoundError as e:
        raise MissingExtra((e.name or "nbclient").split(".")[0], "notebooks") from e
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(folder or temporary)
        place.mkdir(parents=True, exist_ok=True)
        copy = nbformat.from_dict(notebook)
        start = time.perf_counter()
        try:
            NotebookClient(
                copy,
                timeout=timeout_s,
                kernel_name="python3",
                resources={"metadata": {"path": str(place)}},
            ).execute()
        except (CellExecutionError, CellTimeoutError) as e:
            said = str(e).strip().splitlines()[-1] if str(e).strip() else type(e).__name__
            done = sum(1 for c in copy.cells if c.cell_type == "code" and c.get("execution_count"))
            raise NotebookError(
                f"The dry run failed in code cell {done} after {time.perf_counter() - start:.0f} s: {said}"
            ) from e
        return time.perf_counter() - start
