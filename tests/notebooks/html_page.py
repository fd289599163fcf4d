"""Export an executed notebook as a page, and check that it is one that people like to read."""

import re
from html import escape, unescape
from pathlib import Path

import nbformat
from nbconvert import HTMLExporter

MOST_LINES = 60  # of a printed output: more is a wall of text


def executed_in(place: Path, *, session: int = 1):
    """Return the notebook that the sandbox below a folder has executed."""
    [file] = place.rglob(f"sandbox/kernels/{session}/executed/notebook.ipynb")
    return nbformat.read(file, as_version=4)


def outputs(notebook) -> list:
    return [o for c in notebook.cells if c.cell_type == "code" for o in c.outputs]


def text(notebook) -> str:
    """Return all printed lines and tables."""
    parts = [
        part
        for o in outputs(notebook)
        for part in (o.get("text", ""), o.get("data", {}).get("text/html", ""))
    ]
    return unescape("\n".join(parts))


def check_page(notebook, *, pictures: int) -> None:
    """Check the page of a notebook: all cells ran, without warnings, and it shows pictures."""
    assert all(c.execution_count for c in notebook.cells if c.cell_type == "code")
    for o in outputs(notebook):
        assert o.output_type != "error" and o.get("name") != "stderr", o
        printed = str(o.get("text", "") or o.get("data", {}).get("text/plain", ""))
        assert len(printed.splitlines()) <= MOST_LINES, printed
    page, _ = HTMLExporter().from_notebook_node(notebook)
    assert page.count("data:image/png;base64") >= pictures
    prose = "\n".join(c.source for c in notebook.cells if c.cell_type == "markdown")
    for heading in re.findall(r"(?m)^#+ (.+)$", prose):
        assert f">{escape(heading)}<" in page, heading
