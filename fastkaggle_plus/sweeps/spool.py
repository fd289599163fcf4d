"""The spool: result files that workers write far from the vault, and the driver takes into it.

A worker may run a trial twice, as after a lost connection; the vault stores the run once. A result
file is complete as soon as it has its name: KEY-HASH.zip, with the hash of its content.
"""

import io
import json
import os
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..exceptions import DataError
from ..predictions import Predictions, as_json, load_predictions
from .stored_run import StoredRun
from .vault import Vault, content_hash

_PREDICTIONS, _RUN = "predictions.npz", "run.json"


def write_result(
    spool: str | Path,  # folder
    key: str,  # of the run, see `run_key`
    slug: str,
    preds: Predictions | None,  # None: it failed, or was pruned and has `fold_scores` in its facts
    *,
    name: str = "",  # of the trial; default: that of the predictions
    error: str = "",  # traceback, if it failed
    **facts: Any,
) -> Path:
    """Write the result of a trial as one file, which appears complete or not at all."""
    folder = Path(spool)
    folder.mkdir(parents=True, exist_ok=True)
    run = {"slug": slug, "trial": name or (preds.name if preds else ""), "error": error}
    part = folder / f".{key}.{os.getpid()}.part"
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as z:  # the predictions are compressed already
        z.writestr(_RUN, as_json({**run, "facts": facts}))
        if preds is not None:
            z.writestr(_PREDICTIONS, preds.save(part).read_bytes())
    with part.open("wb") as f:
        f.write(content.getvalue())
        f.flush()
        os.fsync(f.fileno())
    return part.replace(folder / f"{key}-{content_hash(content.getvalue())}.zip")


def read_result(file: Path) -> tuple[str, str, Predictions | None, dict[str, Any]]:
    """Return key, slug, predictions and the other facts of a result file. Raises DataError."""
    key, _, digest = file.stem.rpartition("-")
    content = file.read_bytes()
    if content_hash(content) != digest:
        raise DataError(f"{file} is damaged: its content does not match the hash in its name.")
    with zipfile.ZipFile(io.BytesIO(content)) as z:
        run = json.loads(z.read(_RUN))
        found = _PREDICTIONS in z.namelist()
        preds = load_predictions(io.BytesIO(z.read(_PREDICTIONS))) if found else None
    return key, run.pop("slug"), preds, run


def take_in(spool: Path, vault: Vault) -> list[StoredRun]:
    """Store the results in a spool in the vault, and delete their files; leave damaged ones."""
    stored = []
    for file in sorted(spool.glob("*.zip")):
        with suppress(DataError, FileNotFoundError):  # damaged: its trial runs again
            stored += store_result(file, vault)
            file.unlink(missing_ok=True)
    return stored


def store_result(file: Path, vault: Vault) -> list[StoredRun]:
    """Store a result file, unless the vault has predictions of this run: then return no run.

    Of two executions, a failure never replaces a success. Raises DataError for a damaged file.
    """
    key, slug, preds, run = read_result(file)
    if vault.get(key) is not None:
        return []
    if preds is not None:
        return [vault.put(key, slug, preds, **run["facts"])]
    if "fold_scores" in run["facts"]:
        return [vault.put_pruned(key, slug, run["trial"], **run["facts"])]
    return [vault.put_error(key, slug, run["trial"], run["error"], **run["facts"])]
