"""Run a notebook here, in a kernel of its own."""

import re
from pathlib import Path
from typing import Any

from ..exceptions import NotebookError, needs_extra

_COLORS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")  # of a terminal


def executed(
    notebook: Any,  # nbformat's NotebookNode
    *,
    folder: str | Path,  # where it runs and writes
    timeout_s: float = 600.0,  # of a single cell
) -> Any:
    """Return a copy of a notebook with the outputs of its cells. Raises NotebookError."""
    with needs_extra("notebooks"):
        import nbformat
        from nbclient import NotebookClient
        from nbclient.exceptions import CellExecutionError, CellTimeoutError
    Path(folder).mkdir(parents=True, exist_ok=True)
    copy = nbformat.from_dict(notebook)
    resources = {"metadata": {"path": str(folder)}}
    try:
        NotebookClient(
            copy, timeout=timeout_s, kernel_name="python3", resources=resources
        ).execute()
    except (CellExecutionError, CellTimeoutError) as e:
        lines = _COLORS.sub("", str(e)).strip().splitlines() or [type(e).__name__]
        done = sum(1 for c in copy.cells if c.cell_type == "code" and c.get("execution_count"))
        raise NotebookError(f"The notebook failed in code cell {done}: {lines[-1]}") from e
    return copy
