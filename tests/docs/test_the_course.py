"""The table of the course: every notebook, its command, its numbers, and the test that shows it."""

import ast
import importlib
import re
from pathlib import Path

import pandas as pd
import pytest
from typer.main import get_command

from fastkaggle_plus.cli import app
from fastkaggle_plus.notebooks import all_lessons

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "the-course.md").read_text(encoding="utf-8")
HEADER, _, *ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in PAGE.splitlines()
    if line.startswith("|")
]
PUBLIC = ("", ".modeling", ".reporting", ".sweeps")  # rooms whose names the table may use
NOTEBOOKS = {  # per lesson
    "1": 2,
    "2": 4,
    "3": 2,
    "4": 2,
    "5": 2,
    "6": 4,
    "7": 2,
    "book 9": 1,
}


def in_code(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_every_notebook_of_the_course_has_a_row():
    assert HEADER == ["lesson", "notebook", "here", "published", "ours", "test"]
    assert all(len(row) == len(HEADER) and all(row) for row in ROWS)
    lessons = [row[0] for row in ROWS]
    assert {lesson: lessons.count(lesson) for lesson in lessons} == NOTEBOOKS


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[1])
def test_the_row_is_true(row):
    _, _, here, _, ours, test = row
    [named] = in_code(test)
    file, _, function = named.partition("::")
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    assert function in {f.name for f in tree.body if isinstance(f, ast.FunctionDef)}
    assert function.startswith("test_") and in_code(here)
    for words in in_code(here):
        if words.startswith("fkp "):
            assert_is_command(words.split()[1:])
        elif not words.startswith("--"):
            assert any(hasattr(room(name), words) for name in PUBLIC), words
    assert ours.startswith(("not run", "no number", "replayed", "the same")) or scores(ours)
    assert scores(ours) <= results()


def assert_is_command(words: list[str]) -> None:
    verb, *rest = words
    command = get_command(app).commands[verb]
    options = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in rest if word.startswith("--")} <= options
    if verb == "lesson":
        assert rest[0] in {lesson.name for lesson in all_lessons()}


def room(name: str):
    return importlib.import_module(f"fastkaggle_plus{name}")


def scores(cell: str) -> set[tuple[str, str, str]]:
    """Return (trial, score, standard error) of the scores in a cell."""
    found = set(re.findall(r"`([^`]+)` (\d\.\d{4}) ± (\d\.\d{4})", cell))
    assert len(found) == cell.count("±")
    return found


def results() -> set[tuple[str, str, str]]:
    rows = pd.concat(pd.read_csv(f) for f in ROOT.glob("competitions/*/results.csv"))
    return {(r.trial, f"{r.oof_score:.4f}", f"{r.oof_score_se:.4f}") for r in rows.itertuples()}
