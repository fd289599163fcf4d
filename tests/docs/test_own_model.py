"""docs/own-model.md as a researcher follows it: its files are written and its commands run."""

import contextlib
import re
import shlex

import pytest

from ..workflow.toy import fkp
from .test_docs import ROOT

PAGE = (ROOT / "docs" / "own-model.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(python|bash)\n(.*?)^```", PAGE, re.S | re.M)


@pytest.mark.slow
def test_the_page_works_from_the_first_line_to_the_last(tmp_path):
    shown: dict[str, list[str]] = {}
    names: dict[str, object] = {}
    for language, text in BLOCKS:
        file = re.match(r"# (competitions/\S+)\n", text)
        if language == "bash":
            for line in text.splitlines():
                words = shlex.split(line)[1:]
                done = fkp(*words, *(["--workers", 0] if "sweep" in words else []), cwd=tmp_path)
                assert done.returncode == 0, f"{line}\n{done.stderr}"
                shown.setdefault(line, []).append(done.stdout)
        elif file:
            (tmp_path / file[1]).write_text(text)
        else:
            with contextlib.chdir(tmp_path):
                exec(compile(text, "own-model.md", "exec"), names)
    first, second = shown["fkp sweep diabetes --data patients"]
    assert "6 trials" in first and "already in the vault" not in second
    [all_runs] = shown["fkp board diabetes --all"]
    assert len(re.findall(r"^ *forest(?:@\w{7})? +.*\d{4}-\d\d-\d\d", all_runs, re.M)) == 2
    assert "features, code" in all_runs
    with contextlib.chdir(tmp_path):
        gain = names["gain"]("diabetes", "ridge 1")
    assert gain.a == "ridge 1" and gain.b == "ridge 1@before" and gain.n_rows > 250
    assert fkp(
        "sweep", "diabetes", "--data", "patients", "--workers", 0, cwd=tmp_path
    ).stdout.count("6 of 6 trials were already in the vault")
