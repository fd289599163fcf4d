"""Check a notebook before a push: find mistakes that would fail on Kaggle or leak secrets."""

import json
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from ..competition import Competition
from ..exceptions import NotebookError
from ..kaggle_client.kernels.metadata import KernelMetadata
from .check_cells import check_cell
from .check_code import find_internet_use, find_undeclared_inputs, writes_submission
from .check_metadata import metadata_problems, missing_models
from .finding import Finding
from .runtime_estimate import HOUR_S, limit_s


def check_notebook(
    notebook: Any,
    *,
    metadata: Mapping[str, Any],
    comp: Competition,
    **options: Any,  # as in `find_faults`
) -> None:
    """Raise NotebookError with the first finding and the number of others, if there are any."""
    found = find_faults(notebook, metadata=metadata, comp=comp, **options)
    if found:
        count = "1 finding" if len(found) == 1 else f"{len(found)} findings"
        rules = ", ".join(sorted({f.rule for f in found[1:]}))
        others = f" The others: {rules}." if rules else ""
        raise NotebookError(f"The notebook has {count}; nothing was sent. In {found[0]}{others}")


def find_faults(
    # nbformat's NotebookNode, its JSON as a dictionary, or the path of an .ipynb file
    notebook: Any,
    *,
    metadata: Mapping[str, Any],  # as in kernel-metadata.json
    comp: Competition,
    forecast_s: float | None = None,  # expected run time, see `forecast_s` and `dry_run`
    known_secrets: Iterable[str] = (),  # secret values of this machine, like those of a .env file
    for_push: bool = True,  # False: the owner in the metadata may still be a placeholder
    # pretrained model in a trial -> names of datasets or models that contain it
    weights: Mapping[str, Collection[str]] | None = None,
) -> list[Finding]:
    """Return all findings: first those in cells, in order, then those of the whole notebook."""
    cells, secrets = _load_cells(notebook), tuple(known_secrets)
    declared = KernelMetadata.read(metadata)
    code = [(i, cell["source"]) for i, cell in enumerate(cells, 1) if cell["cell_type"] == "code"]
    found = [f for i, cell in enumerate(cells, 1) for f in check_cell(i, cell, secrets)]
    found += find_undeclared_inputs(code, declared, comp)
    found += find_internet_use(code, declared)
    found.sort(key=lambda f: (f.cell, f.line))
    problems = []
    if not writes_submission(code):
        message = "no cell writes submission.csv, the file that Kaggle scores."
        problems.append(("submission", f"{message} End with write_submission(preds, comp, path)."))
    problems += [("metadata", m) for m in metadata_problems(declared, comp, for_push=for_push)]
    problems += [("weights", m) for m in missing_models(weights or {}, declared)]
    limit = limit_s(comp, metadata)
    if forecast_s is not None and forecast_s > limit:
        message = f"it is expected to run {forecast_s / HOUR_S:.1f} h; Kaggle stops it after"
        problems.append(
            ("runtime", f"{message} {limit / HOUR_S:.0f} h. Run fewer trials or folds at a time.")
        )
    return found + [Finding(rule, 0, 0, message) for rule, message in problems]


def _load_cells(notebook: Any) -> list[dict[str, Any]]:
    """Return the cells, each source as one string. Raises NotebookError."""
    if isinstance(notebook, (str, Path)):
        try:
            notebook = json.loads(Path(notebook).read_text(encoding="utf-8"))
        except (OSError, ValueError) as e:
            raise NotebookError(f"Cannot read {notebook} as a notebook: {e}") from e
    try:
        return [
            {**cell, "source": "".join(cell["source"]), "cell_type": cell["cell_type"]}
            for cell in notebook["cells"]
        ]
    except (KeyError, TypeError) as e:
        raise NotebookError(
            f"This is not a notebook: {e} is missing. Render one with `fkp notebook SLUG`."
        ) from e
