"""Render a competition's notebook.py (percent format) into a complete notebook."""

import ast
import hashlib
import importlib.metadata
import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..competition import Competition, builtin_folder, load_comp
from ..exceptions import ConfigError, NotebookError, UnknownName, needs_extra
from ..kaggle_client.kernels.metadata import METADATA_FILE
from ..ui.records import Shown
from .default_metadata import kernel_metadata
from .inline import Inliner
from .setup_cells import CELLS

TEMPLATE = "notebook.py"
_PARAMETERS = "parameters"  # papermill's tag


@dataclass(frozen=True, eq=False, repr=False)
class Rendered(Shown):
    """A notebook, ready to be checked and pushed."""

    notebook: Any  # nbformat's NotebookNode
    metadata: dict[str, Any]  # the contents of kernel-metadata.json
    file: Path | None = None  # where it was written

    def _facts(self) -> dict[str, object]:
        cells = len(self.notebook.cells)
        return {"notebook": self.metadata["id"], "cells": cells, "file": self.file}

    @property
    def text(self) -> str:
        """The text of the .ipynb file; the same input gives the same bytes."""
        return json.dumps(self.notebook, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def render_notebook(
    comp: Competition | str,  # or its slug
    *,
    dest: str | Path | None = None,  # folder to write it to; None: nothing is written
    quick: bool = False,  # a dry run: a slice of the rows, small models
    params: Mapping[str, Any] | None = None,  # values for the parameters cell, as in {"SEED": 7}
    template: str | Path | None = None,  # default: the folder's notebook.py, else the template's
    **kernel_facts: Any,  # owner, title, libs_dataset, gpu, ...: see `kernel_metadata`
) -> Rendered:
    """Return the notebook, with facts, features and trials inlined as cells.

    Raises NotebookError if the template omits a needed file, UnknownName for an unknown parameter.
    """
    comp = load_comp(comp) if isinstance(comp, str) else comp
    metadata = kernel_metadata(comp, quick=quick, **kernel_facts)
    inliner = Inliner(comp)
    values = {"SLUG": comp.slug, "QUICK": quick, **(params or {})}
    placeholders = _placeholders(comp, metadata["title"])
    cells = list(_render_cells(_load_template(comp, template), inliner, placeholders, values))
    if missing := inliner.missing():
        raise NotebookError(
            f"The notebook of {comp.slug} never inlines {', '.join(missing)} completely, so it "
            f'would fail elsewhere. Add a cell: # %% inline="{missing[0]}"'
        )
    rendered = Rendered(make_notebook(cells), metadata)
    if dest is None:
        return rendered
    file = Path(dest) / metadata["code_file"]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(rendered.text, encoding="utf-8")
    (file.parent / METADATA_FILE).write_text(
        json.dumps(metadata, indent=2) + "\n", encoding="utf-8"
    )
    return Rendered(rendered.notebook, metadata, file)


def _load_template(comp: Competition, file: str | Path | None) -> list[Any]:
    """Return the cells of the given template, of the competition's, or of the common one."""
    if file is None:
        own = (comp.folder or Path()) / TEMPLATE
        file = own if own.is_file() else builtin_folder() / "_template" / TEMPLATE
    return read_cells(Path(file))


def read_cells(file: Path) -> list[Any]:
    """Return a percent file's cells. Text before the first cell marker is a comment on the file."""
    with needs_extra("notebooks"):
        import jupytext
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as e:
        raise ConfigError(f"Cannot read the notebook template {file}: {e.strerror}.") from e
    start = re.search(r"(?m)^# %%", text)
    if not start:
        raise NotebookError(f"{file} has no cells. Start each with # %% or # %% [markdown].")
    return list(jupytext.reads(text[start.start() :], fmt="py:percent").cells)


def _render_cells(
    template: list[Any],
    inliner: Inliner,
    placeholders: Mapping[str, str],
    values: Mapping[str, Any],
) -> Iterator[tuple[str, str]]:
    """Yield (type, source) of the notebook's cells.

    Directives in a template's cell marker: inline="FILE" (with until="NAME"), inline="models",
    standard="CELL" (see setup_cells.py), and when="FILE" for a cell that FILE makes sense of.
    """
    has_parameters = False
    inlined_files = {cell.metadata.get("inline") for cell in template}
    for cell in template:
        directives = cell.metadata
        if "when" in directives and not inliner.has(directives["when"]):
            continue
        if directives.get("inline") == "models":
            yield from _model_cells(inliner)
        elif "inline" in directives:
            name = directives["inline"]
            yield from _cells_before(inliner, name, skip=inlined_files)
            yield "code", inliner.next_piece(name, until=directives.get("until", ""))
        elif "standard" in directives:
            if directives["standard"] not in CELLS:
                raise UnknownName("standard cell", directives["standard"], CELLS)
            yield "code", _fill(CELLS[directives["standard"]], placeholders)
        elif _PARAMETERS in directives.get("tags", ()):
            has_parameters = True
            yield "code", set_parameters(cell.source, values)
        elif cell.cell_type == "markdown":
            yield "markdown", _fill(cell.source, placeholders)
        elif cell.source.strip():
            yield cell.cell_type, cell.source
    if not has_parameters:
        raise NotebookError(
            f'The template has no cell # %% tags=["{_PARAMETERS}"] that sets {", ".join(values)}.'
        )


def _model_cells(inliner: Inliner) -> Iterator[tuple[str, str]]:
    """Yield a cell for each of the competition's own model files, below the file's docstring."""
    for name in inliner.missing():
        is_own = name not in ("data.py", "trials.py") and name.endswith(".py")
        if is_own and name in inliner.missing():  # another model's cell may have written it
            yield from _cells_before(inliner, name)
            docstring = ast.get_docstring(ast.parse(inliner.text(name)))
            yield "markdown", f"`{name}`: {docstring or 'a model of this competition.'}"
            yield "code", inliner.next_piece(name)


def _cells_before(
    inliner: Inliner, name: str, *, skip: Collection[str] = ()
) -> Iterator[tuple[str, str]]:
    """Yield the files that a .py file reads or imports: they must exist before it is loaded."""
    for file in inliner.files_before(name):
        if file in inliner.missing() and file not in skip:
            yield "code", inliner.next_piece(file)


def set_parameters(source: str, values: Mapping[str, Any]) -> str:
    """Return the cell with new values for its names. Raises UnknownName, ConfigError."""
    assigned: dict[str, ast.expr] = {}
    for statement in ast.parse(source).body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                assigned[name] = value
    lines = source.splitlines()
    for name, new in values.items():
        if name not in assigned:
            raise UnknownName("parameter of the notebook", name, assigned)
        if not isinstance(new, (str, int, float, bool, list, dict, type(None))):
            raise ConfigError(
                f"The parameter {name} = {new!r} is not plain data. Give a number, string, "
                "boolean, list or dictionary."
            )
        old = assigned[name]
        if old.lineno != old.end_lineno:
            raise NotebookError(f"The parameter {name} spans several lines. Write it on one line.")
        line = lines[old.lineno - 1].encode()  # offsets of the syntax tree count bytes
        text = json.dumps(new) if isinstance(new, str) else repr(new)
        changed = line[: old.col_offset] + text.encode() + line[old.end_col_offset :]
        lines[old.lineno - 1] = changed.decode()
    return "\n".join(lines)


def _placeholders(comp: Competition, title: str) -> dict[str, str]:
    """Return the values of {{name}} in a template's prose."""
    tasks = {"binary": "two classes", "multiclass": "several classes", "regression": "a number"}
    return {
        "title": comp.title or title,
        "slug": comp.slug,
        "page": comp.page,
        "metric": comp.metric,
        "task": tasks[comp.task],
        "id": comp.id,
        "target": ", ".join(comp.target),
        "split": comp.split.kind + (f" by {comp.split.column}" if comp.split.column else ""),
        "version": importlib.metadata.version("fastkaggle_plus"),
    }


def _fill(text: str, placeholders: Mapping[str, str]) -> str:
    for name in re.findall(r"\{\{(\w+)\}\}", text):
        if name not in placeholders:
            raise UnknownName("placeholder of a notebook", name, placeholders)
        text = text.replace(f"{{{{{name}}}}}", placeholders[name])
    return text


def make_notebook(cells: list[tuple[str, str]]) -> Any:
    """Return an nbformat notebook; the id of a cell is a hash of its position and text."""
    import nbformat

    v4 = nbformat.v4
    made = []
    for i, (kind, source) in enumerate(cells):
        id = hashlib.sha256(f"{i}\0{source}".encode()).hexdigest()[:12]
        new_cell = v4.new_markdown_cell if kind == "markdown" else v4.new_code_cell
        made.append(new_cell(source, id=id))
    notebook = v4.new_notebook(
        cells=made,
        metadata={
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
    )
    nbformat.validate(notebook)
    return notebook
