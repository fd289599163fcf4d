"""Every cell of every lesson runs, offline, and `fkp lesson` lists and writes them."""

import ast
import json
import warnings

import matplotlib
import nbformat
import pytest

from fastkaggle_plus.notebooks import all_lessons

from ..workflow.toy import fkp

LESSONS = [lesson.name for lesson in all_lessons()]


@pytest.fixture
def written(request, tmp_path):
    """A lesson, written by the command."""
    name = request.param
    done = fkp("lesson", name, "--to", "lessons", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [f"lessons/{name}.ipynb"]
    notebook = nbformat.read(tmp_path / f"lessons/{name}.ipynb", as_version=4)
    nbformat.validate(notebook)
    return notebook


@pytest.mark.slow
@pytest.mark.parametrize("written", LESSONS, indirect=True)
def test_every_cell_of_a_lesson_runs(written, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "Agg")  # of processes that a lesson starts
    matplotlib.use("Agg")
    names = {"__name__": "__main__", "display": show}
    cells = written.cells
    assert cells[0].cell_type == "markdown" and cells[0].source.startswith("# ")
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*non-interactive")  # plt.show()
            for i, cell in enumerate(cells):
                if cell.cell_type == "code":
                    assert not cell.outputs
                    run_cell(cell.source, names, f"cell {i}")
    finally:
        if plt := names.get("plt"):
            plt.close("all")


def run_cell(source: str, names: dict, place: str) -> None:
    """Run a cell as Jupyter does: its last line is shown if it is an expression."""
    body = ast.parse(source, place)
    last = body.body.pop() if body.body and isinstance(body.body[-1], ast.Expr) else None
    exec(compile(body, place, "exec"), names)
    if last:
        show(eval(compile(ast.Expression(last.value), place, "eval"), names))


def show(value: object) -> None:
    """Make the texts that a notebook shows of a value."""
    if value is not None:
        assert repr(value)
        if as_html := getattr(value, "_repr_html_", None):
            as_html()


def test_the_command_lists_the_lessons(tmp_path):
    done = fkp("lesson", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert all(name in done.stdout for name in LESSONS)
    listed = json.loads(fkp("lesson", "--json", cwd=tmp_path).stdout)
    assert [lesson["name"] for lesson in listed] == LESSONS
    assert "How does a neural net really work?" in [lesson["title"] for lesson in listed]


def test_a_changed_lesson_is_kept_and_an_unknown_one_refused(tmp_path):
    name = "how_does_a_neural_net_really_work"
    (tmp_path / f"{name}.ipynb").write_text("mine")
    done = fkp("lesson", name, cwd=tmp_path)
    assert done.returncode == 1 and "may have your changes" in done.stderr
    assert (tmp_path / f"{name}.ipynb").read_text() == "mine"
    done = fkp("lesson", "how_does_a_neural_net", cwd=tmp_path)
    assert done.returncode == 1 and name in done.stderr
