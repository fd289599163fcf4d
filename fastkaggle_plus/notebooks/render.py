"""Render a competition's notebook.py (percent format) and parameters into a notebook that is complete in itself."""

from __future__ import annotations

import ast
import hashlib
import importlib.metadata
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..competition import Competition, builtin_folder, load_comp
from ..exceptions import ConfigError, MissingExtra, NotebookError, UnknownName
from . import metadata as kernel
from .inline import Inliner
from .setup_cells import CELLS

TEMPLATE = "notebook.py"
_PARAMETERS = "parameters"  # papermill's tag
_DIRECTIVES = ("inline", "until", "standard", "when")


@dataclass(frozen=True, eq=False)
class Rendered:
    "A notebook ready to be checked and pushed."

    notebook: Any  # nbformat's NotebookNode
    metadata: dict[str, Any]  # of the kernel, as kernel-metadata.json takes it
    file: Path | None = None  # where it was written

    @property
    def text(self) -> str:
        "The .ipynb file's text: the same input gives the same bytes."
        return json.dumps(self.notebook, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def render_notebook(
    comp: Competition | str,  # or its slug
    *,
    dest: str
    | Path
    | None = None,  # folder for the notebook and kernel-metadata.json; None: nothing is written
    quick: bool = False,  # a dry run: a slice of the rows, small models
    params: Mapping[str, Any]
    | None = None,  # values for the parameters cell, by name, as in {"SEED": 7}
    template: str
    | Path
    | None = None,  # percent-format file; default: the folder's notebook.py, else the template's
    **kernel_facts: Any,  # owner, title, libs_dataset, gpu, internet, datasets, models: see `kernel_metadata`
) -> Rendered:
    """Return the notebook, with facts, features and trials inlined as cells that can be read.

    Raises NotebookError for a template that leaves a needed file out, UnknownName for a parameter it does not have.
    """
    comp = load_comp(comp) if isinstance(comp, str) else comp
    about = kernel.kernel_metadata(comp, **kernel_facts)
    inliner = Inliner(comp)
    values = {"SLUG": comp.slug, "QUICK": quick, **(params or {})}
    cells = list(_cells(_template(comp, template), inliner, _words(comp, about["title"]), values))
    if left := inliner.left():
        raise NotebookError(
            f"The notebook of {comp.slug} never inlines {', '.join(left)} to its end, so it would not run elsewhere. "
            f'Add a cell: # %% inline="{left[0]}"'
        )
    notebook = _notebook(cells)
    file = None
    if dest is not None:
        file = Path(dest) / about["code_file"]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(Rendered(notebook, about).text, encoding="utf-8")
        (file.parent / kernel.FILE).write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
    return Rendered(notebook, about, file)


def _template(comp: Competition, file: str | Path | None) -> list[Any]:
    "The template's cells; what stands before the first cell marker is for the readers of the file."
    try:
        import jupytext
    except ModuleNotFoundError as e:
        raise MissingExtra("jupytext", "notebooks") from e
    own = (comp.folder or Path()) / TEMPLATE
    file = (
        Path(file) if file else own if own.is_file() else builtin_folder() / "_template" / TEMPLATE
    )
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as e:
        raise ConfigError(f"The notebook template {file} cannot be read ({e.strerror}).") from e
    start = re.search(r"(?m)^# %%", text)
    if not start:
        raise NotebookError(
            f"{file} has no cells. Each begins with a line # %% or # %% [markdown]."
        )
    return list(jupytext.reads(text[start.start() :], fmt="py:percent").cells)


def _cells(
    template: list[Any], inliner: Inliner, words: Mapping[str, str], values: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    "Yield (type, source) of the notebook's cells."
    parameters_set, inlined = False, {cell.metadata.get("inline") for cell in template}
    for cell in template:
        wants = {k: str(cell.metadata[k]) for k in _DIRECTIVES if k in cell.metadata}
        if "when" in wants and not inliner.has(wants["when"]):
            continue
        if wants.get("inline") == "models":
            yield from _models(inliner)
        elif "inline" in wants:
            yield from (
                ("code", inliner.piece(beside))
                for beside in inliner.read_by(wants["inline"])
                if beside in inliner.left() and beside not in inlined
            )
            yield "code", inliner.piece(wants["inline"], until=wants.get("until", ""))
        elif "standard" in wants:
            if wants["standard"] not in CELLS:
                raise UnknownName("standard cell", wants["standard"], CELLS)
            yield "code", _filled(CELLS[wants["standard"]], words)
        elif _PARAMETERS in cell.metadata.get("tags", ()):
            parameters_set = True
            yield "code", set_parameters(cell.source, values)
        elif cell.source.strip():
            yield (
                cell.cell_type,
                _filled(cell.source, words) if cell.cell_type == "markdown" else cell.source,
            )
    if not parameters_set:
        raise NotebookError(
            f'The template has no cell # %% tags=["{_PARAMETERS}"] that sets {", ".join(values)}.'
        )


def _models(inliner: Inliner) -> Iterator[tuple[str, str]]:
    "A cell for each model file of the competition's own that the trials name, under what it says of itself."
    for name in inliner.left():
        if name not in ("data.py", "trials.py") and name.endswith(".py"):
            yield from (
                ("code", inliner.piece(beside))
                for beside in inliner.read_by(name)
                if beside in inliner.left()
            )
            yield "markdown", f"`{name}`: {inliner.job(name) or 'a model of this competition.'}"
            yield "code", inliner.piece(name)


def set_parameters(source: str, values: Mapping[str, Any]) -> str:
    "Return the cell with other values for its names; comments stay. Raises UnknownName, ConfigError."
    assigned = [
        (target, node.value)
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign)
        for target in node.targets
    ]
    spans = {target.id: value for target, value in assigned if isinstance(target, ast.Name)}
    lines = source.splitlines()
    for name, value in values.items():
        if name not in spans:
            raise UnknownName("parameter of the notebook", name, spans)
        if not isinstance(value, (str, int, float, bool, list, dict, type(None))):
            raise ConfigError(
                f"The parameter {name} = {value!r} is no plain data. Give a number, string, boolean, list or dictionary."
            )
        node = spans[name]
        if node.lineno != node.end_lineno:
            raise NotebookError(
                f"The parameter {name} stands on several lines. Write it on one, so that it can be set."
            )
        line, written = (
            lines[node.lineno - 1].encode(),
            json.dumps(value) if isinstance(value, str) else repr(value),
        )
        lines[node.lineno - 1] = (
            line[: node.col_offset] + written.encode() + line[node.end_col_offset :]
        ).decode()
    return "\n".join(lines)


def _words(comp: Competition, title: str) -> dict[str, str]:
    "What {{name}} stands for in a template's prose."
    better = {"binary": "two classes", "multiclass": "several classes", "regression": "a number"}
    return {
        "title": comp.title or title,
        "slug": comp.slug,
        "page": comp.page,
        "metric": comp.metric,
        "task": better[comp.task],
        "id": comp.id,
        "target": ", ".join(comp.target),
        "split": comp.split.kind + (f" by {comp.split.column}" if comp.split.column else ""),
        "version": _version(),
    }


def _filled(text: str, words: Mapping[str, str]) -> str:
    def word(match: re.Match[str]) -> str:
        if match[1] not in words:
            raise UnknownName("word of a notebook", match[1], words)
        return words[match[1]]

    return re.sub(r"\{\{(\w+)\}\}", word, text)


def _version() -> str:
    try:
        return importlib.metadata.version("fastkaggle_plus")
    except importlib.metadata.PackageNotFoundError:
        return "0"


def _notebook(cells: list[tuple[str, str]]) -> Any:
    "The cells as nbformat wants them; a cell's id comes from its place and its text."
    import nbformat

    made, v4 = [], nbformat.v4
    for i, (kind, source) in enumerate(cells):
        id = hashlib.sha256(f"{i}\0{source}".encode()).hexdigest()[:12]
        made.append(
            v4.new_markdown_cell(source, id=id)
            if kind == "markdown"
            else v4.new_code_cell(source, id=id)
        )
    facts = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    notebook = v4.new_notebook(cells=made, metadata=facts)
    nbformat.validate(notebook)
    return notebook
