"""The README's code runs as written, and its folder map is true."""

import contextlib
import io
import re
from pathlib import Path

import pandas as pd
import pytest

from fastkaggle_plus import rehearsal

from .sandbox import matrix, test_matrix

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_code_prints_what_the_readme_shows(tmp_path, monkeypatch):
    code, output = re.search(
        r"```python\n(from fastkaggle_plus import \*.*?)```\n+```text\n(.*?)```", README, re.S
    ).groups()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FKP_HOME", str(tmp_path / "home"))
    printed = io.StringIO()
    with rehearsal("titanic", dest=tmp_path / "rehearsal"), contextlib.redirect_stdout(printed):
        exec(compile(code, "README.md", "exec"), {})
    shown, came = output.split(), printed.getvalue().split()
    assert len(shown) == len(came)
    for a, b in zip(shown, came, strict=True):
        if re.fullmatch(r"[-+±]?\d+\.\d+[,)]?", a):
            number = re.compile(r"\d+\.\d+")
            assert abs(float(number.search(a)[0]) - float(number.search(b)[0])) < 0.02, (
                a,
                b,
            )  # nets differ a little between machines


def test_every_folder_and_file_named_in_the_map_exists():
    tree = re.search(r"```text\n(fastkaggle_plus/.*?)```", README, re.S).group(1)
    for line in tree.splitlines():
        name = line.split()[0] if line.strip() else ""
        if name.endswith(("/", ".py")) and not line.startswith("    "):
            assert (ROOT / name).exists() or (ROOT / "fastkaggle_plus" / name).exists(), name


def test_every_score_quoted_is_a_row_of_results():
    quoted = re.findall(r"^\| ([^|`]+) \| (0\.\d{4}) ± (0\.\d{4}) \|", README, re.M)
    rows = pd.concat(pd.read_csv(file) for file in sorted(ROOT.glob("competitions/*/results.csv")))
    known = {(r.trial, f"{r.oof_score:.4f}", f"{r.oof_score_se:.4f}") for r in rows.itertuples()}
    assert len(quoted) > 15 and set(quoted) <= known, set(quoted) - known


def test_commands_named_are_commands():
    from typer.main import get_command

    from fastkaggle_plus.cli.app import app

    known = get_command(app).commands
    for command in re.findall(r"\bfkp ([a-z]+)", README):
        assert command in known, command


def test_every_client_and_operation_of_the_table_has_its_test():
    table = re.search(r"^\| \| kaggle CLI .*?(?=\n\n)", README, re.S | re.M)[0]
    assert table == matrix.table(), "print it anew with python -m tests.sandbox.matrix"
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]
    ]
    shown = {
        (client, operation)
        for operation, *calls in rows
        for client, call in zip(matrix.CLIENTS, calls, strict=True)
        if call != "–"
    }
    tested = {
        tuple(one.values[:2])
        for mark in test_matrix.test_matrix.pytestmark
        if mark.name == "parametrize"
        for one in mark.args[1]
    }
    assert shown == tested and len(shown) > 40
