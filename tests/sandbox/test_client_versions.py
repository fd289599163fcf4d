"""The 21 operations of the table of client versions, with the version that is installed."""

import time
from pathlib import Path

from .client_versions import OPERATIONS, VERSIONS, fill, make_model

PAGE = Path(__file__).parents[2] / "docs/clients.md"


def test_the_installed_client_does_all_operations(kaggle, box):
    fill(kaggle.home)
    make_model(box)
    for operation in OPERATIONS:
        for _ in range(operation.tries):
            done = kaggle(*operation.command.split())
            printed = done.stdout + done.stderr
            if is_right := done.returncode == 0 and operation.check(printed, kaggle.home):
                break
            time.sleep(0.2)
        assert is_right, f"kaggle {operation.command}: {printed}"


def test_the_page_has_all_versions_and_operations():
    text = PAGE.read_text(encoding="utf-8")
    assert f"| | {' | '.join(VERSIONS)} |" in text
    assert len(OPERATIONS) == 21
    for operation in OPERATIONS:
        assert f"| `{operation.name}` |" in text
