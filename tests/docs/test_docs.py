"""The README and docs/: their code runs, their commands parse, links and numbers are true."""

import contextlib
import io
import re
import shlex
from pathlib import Path

import pandas as pd
import pytest
from typer.main import get_command

from ..sandbox import matrix, test_matrix

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]
TEXT = {page: page.read_text(encoding="utf-8") for page in PAGES}
WALKED = ROOT / "docs" / "your-competition.md"  # test_your_competition.py runs it whole
TOLERANCE = 0.02  # networks differ a little between machines


def blocks(page: Path, language: str) -> list[str]:
    """Return the fenced code blocks of a page in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT[page], re.S | re.M)


def code_with_output(page: Path) -> list[tuple[str, str | None]]:
    """Return each Python block with the text block that follows it, if one does."""
    pattern = r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```)?"
    return [(m[1], m[2]) for m in re.finditer(pattern, TEXT[page], re.S | re.M)]


def commands(page: Path) -> list[list[str]]:
    """Return the words of every `fkp` command in a page's bash blocks."""
    lines = "\n".join(blocks(page, "bash")).splitlines()
    words = [shlex.split(line, comments=True) for line in lines]
    return [w[1:] for w in words if w and w[0] == "fkp"]


def named(pages: list[Path]) -> list:
    """Return pytest parameters that are shown by their file name."""
    return [pytest.param(page, id=page.stem) for page in pages]


def same_words(shown: str, printed: str) -> bool:
    """Compare two outputs word by word; numbers with a decimal point may differ a little.

    A score with its standard error, as in "0.46 ± 0.05", may differ by two standard errors:
    small networks depend on the number of threads.
    """
    number = re.compile(r"-?\d+\.\d+")
    a, b = shown.split(), printed.split()
    if len(a) != len(b):
        return False
    for i, (one, other) in enumerate(zip(a, b, strict=True)):
        x, y = number.search(one), number.search(other)
        if x and y:
            has_error = a[i + 1 : i + 2] == ["±"]
            tolerance = (
                max(TOLERANCE, 2 * float(a[i + 2].rstrip(",):"))) if has_error else TOLERANCE
            )
            if abs(float(x[0]) - float(y[0])) > tolerance:
                return False
        elif one != other and not (one[0].isdigit() and other[0].isdigit()):
            return False
    return True


@pytest.mark.slow
@pytest.mark.parametrize("page", named([p for p in PAGES if blocks(p, "python") and p != WALKED]))
def test_code_prints_what_the_page_shows(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for code, shown in code_with_output(page):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, page.name, "exec"), names)
        if shown is not None:
            assert same_words(shown, printed.getvalue()), printed.getvalue()


@pytest.mark.parametrize("page", named([p for p in PAGES if blocks(p, "python")]))
def test_code_that_sends_something_is_a_rehearsal(page):
    """Pasted with credentials in the environment, it must not reach the real Kaggle."""
    writes = (
        r"\b(submit|submit_code|competition_submit|push_notebook|mk_dataset|push_dataset|run)\("
    )
    for code in blocks(page, "python"):
        if found := re.search(writes, code):
            assert "with rehearsal(" in code[: found.start()], code


@pytest.mark.parametrize("page", named([p for p in PAGES if commands(p)]))
def test_commands_that_use_the_real_kaggle_have_live(page):
    verbs = ("setup", "submit", "submissions", "leaderboard", "status", "output", "libs")
    for words in commands(page):
        assert words[0] not in verbs or "--live" in words, words


@pytest.mark.parametrize("page", named([p for p in PAGES if commands(p)]))
def test_commands_are_accepted_by_the_command_line(page):
    """Each command parses: the verb, its options and its arguments exist. Nothing is run."""
    from fastkaggle_plus.cli import app

    for words in commands(page):
        group, name, *rest = get_command(app), *words
        if name.startswith("-"):
            assert any(name in option.opts for option in group.params), name
            continue
        command = group.commands[name]
        while hasattr(command, "commands"):
            command, rest = command.commands[rest[0]], rest[1:]
        command.make_context(name, rest, resilient_parsing=False)


@pytest.mark.parametrize("page", named(PAGES))
def test_commands_named_in_sentences_exist(page):
    from fastkaggle_plus.cli import app

    known = get_command(app).commands
    for name in re.findall(r"`fkp ([a-z]+)", TEXT[page]):
        assert name in known, name


@pytest.mark.parametrize("page", named(PAGES))
def test_links_and_paths_exist(page):
    for target in re.findall(r"\]\(([^)#:]+)[^):]*\)", TEXT[page]):
        assert (page.parent / target).exists(), target
    path = r"`((?:fastkaggle_plus|competitions|tests|docs)/[\w./-]+)`"
    for target in re.findall(path, TEXT[page]):
        assert (ROOT / target).exists(), target


def test_make_targets_exist():
    made = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    for page in PAGES:
        assert set(re.findall(r"^make ([a-z]+)", "".join(blocks(page, "bash")), re.M)) <= made
        assert set(re.findall(r"`make ([a-z]+)`", TEXT[page])) <= made


def test_the_readme_is_short_and_names_every_page_and_folder():
    assert len(TEXT[README].splitlines()) <= 130
    linked = set(re.findall(r"\]\((docs/[\w-]+\.md)\)", TEXT[README]))
    reached = linked | {
        f"docs/{t}" for p in PAGES[1:] for t in re.findall(r"\]\(([\w-]+\.md)\)", TEXT[p])
    }
    assert {f"docs/{p.name}" for p in PAGES[1:]} <= reached
    folders = {p.name for p in (ROOT / "fastkaggle_plus").iterdir() if (p / "__init__.py").exists()}
    assert folders <= set(re.findall(r"^  (\w+)/", TEXT[README], re.M))


def test_every_score_quoted_is_a_row_of_results():
    row = r"^\| ([^|`]+) \| (0\.\d{4}) ± (0\.\d{4}) \|"
    quoted = {match for page in PAGES for match in re.findall(row, TEXT[page], re.M)}
    rows = pd.concat(pd.read_csv(f) for f in sorted(ROOT.glob("competitions/*/results.csv")))
    known = {(r.trial, f"{r.oof_score:.4f}", f"{r.oof_score_se:.4f}") for r in rows.itertuples()}
    assert len(quoted) > 15 and quoted <= known, quoted - known


def test_the_table_of_clients_is_that_of_the_tests():
    text = TEXT[ROOT / "docs" / "clients.md"]
    table = re.search(r"^\| \| kaggle CLI .*?(?=\n\n)", text, re.S | re.M)[0]
    assert table == matrix.table(), "print it again with python -m tests.sandbox.matrix"
    rows = [[c.strip() for c in line.strip("|").split("|")] for line in table.splitlines()[2:]]
    shown = {
        (client, operation)
        for operation, *calls in rows
        for client, call in zip(matrix.CLIENTS, calls, strict=True)
        if call != "–"
    }
    marks = [m for m in test_matrix.test_matrix.pytestmark if m.name == "parametrize"]
    tested = {tuple(one.values[:2]) for mark in marks for one in mark.args[1]}
    assert shown == tested and len(shown) > 40
