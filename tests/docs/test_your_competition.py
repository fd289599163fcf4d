"""The paths of new users: each command of the page runs, and prints what the page shows."""

import re

import pytest

from ..workflow.toy import fkp
from .test_docs import ROOT, TEXT

PAGE = TEXT[ROOT / "docs" / "your-competition.md"]


def sections():
    """Return the sections with commands to run, by heading."""
    parts = re.split(r"(?m)^## ", PAGE)[1:]
    return {p.splitlines()[0]: p for p in parts if "```bash\nfkp new" in p and "```text" in p}


def pattern(line: str) -> str:
    """Return a line without its numbers, hashes and spacing, which differ between machines."""
    return " ".join(re.sub(r"sha256 \w+|greedy of .*|\d+(\.\d+)*", "#", line).split())


@pytest.mark.slow
@pytest.mark.parametrize("heading", sections())
def test_a_new_user_gets_from_nothing_to_a_scored_rehearsal(heading, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```(\w+)\n(.*?)^```", sections()[heading], re.S | re.M)
    printed, names = "", {}
    for language, block in blocks:
        if language == "python":
            exec(compile(block, heading, "exec"), names)
        elif language == "bash":
            done = fkp(*block.split()[1:], cwd=tmp_path)
            assert done.returncode == 0, done.stderr
            printed = done.stdout
        elif language == "text":
            lines = iter([pattern(line) for line in printed.splitlines()])
            for shown in block.splitlines():
                assert shown == "..." or pattern(shown) in lines, f"{shown}\n{printed}"
    scores = re.search(r"public ([\d.]+), private ([\d.]+)", printed)
    sample = re.search(r"sample submission ([\d.]+) / ([\d.]+)", printed)
    assert float(scores[1]) > float(sample[1]) and float(scores[2]) > float(sample[2]) + 0.3
