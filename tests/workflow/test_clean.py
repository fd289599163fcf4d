"""Copies of a rehearsal are used again; `fkp clean` removes the old ones and nothing else."""

import json
import os

import numpy as np
import pytest
from PIL import Image

from fastkaggle_plus.reading.pixels import resized
from fastkaggle_plus.workflow.rehearse import rehearsal

from .toy import FACTS, fkp, make_toy

KEEP = ("vault", "submission.csv", "results.csv", "report.html", "journal.jsonl")


@pytest.fixture
def place(tmp_path):
    """A place with labelled rows next to the facts of a competition."""
    folder = tmp_path / "competitions" / "toy"
    make_toy(tmp_path / "made")
    folder.parent.mkdir()
    (tmp_path / "made/toy/files").rename(folder)
    (folder / "competition.toml").write_text(FACTS)
    return tmp_path


def rehearse(place, **options) -> str:
    """Rehearse, and return the name of the copy."""
    os.chdir(place)
    with rehearsal("toy", **options) as box:
        return box.data.parent.name


def copies(place):
    return sorted(p.name for p in (place / "runs/toy").glob("rehearsal-*"))


def test_edits_that_leave_the_rows_alone_use_the_copy_again(place, monkeypatch):
    monkeypatch.chdir(place)
    folder, first = place / "competitions/toy", rehearse(place)
    (folder / "data.py").write_text("# features\n")
    (folder / "notes.txt").write_text("more trees?\n")
    (folder / "my submission.csv").write_text("id,y\n")
    (folder / "runs/toy").mkdir(parents=True)
    (folder / "runs/toy/report.html").write_text("an output")
    assert rehearse(place) == first and copies(place) == [first]
    train = folder / "train.csv"
    train.write_text("\n".join(train.read_text().splitlines()[:-1]) + "\n")
    assert rehearse(place) != first


def test_edits_of_the_features_use_a_copy_made_by_rehearsal_py_again(place, monkeypatch):
    monkeypatch.chdir(place)
    folder = place / "competitions/toy"
    own = folder / "rehearsal.py"
    own.write_text(
        "from pathlib import Path\nfrom fastkaggle_plus import load_comp, rehearse\n"
        "HERE = Path(__file__).parent\n"
        "def make(dest, seed):\n    return rehearse(load_comp(HERE), HERE, dest, seed=seed)\n"
    )
    first = rehearse(place)
    (folder / "data.py").write_text("# features\n")
    assert rehearse(place) == first
    own.write_text("import data\n" + own.read_text())
    second = rehearse(place)
    (folder / "data.py").write_text("# other features\n")
    assert len({first, second, rehearse(place)}) == 3


def test_at_most_three_copies_are_kept(place, monkeypatch):
    monkeypatch.chdir(place)
    train = place / "competitions/toy/train.csv"
    names = []
    for _ in range(5):
        train.write_text("\n".join(train.read_text().splitlines()[:-1]) + "\n")
        names.append(rehearse(place))
    assert copies(place) == sorted(names[-3:])
    with rehearsal("toy", seed=1):  # another seed counts by itself
        assert len(copies(place)) == 4


def test_clean_asks_and_removes_only_what_can_be_made_again(place, monkeypatch):
    monkeypatch.chdir(place)
    monkeypatch.setenv("FKP_HOME", str(place / "home"))
    train = place / "competitions/toy/train.csv"
    old = rehearse(place)
    train.write_text("\n".join(train.read_text().splitlines()[:-1]) + "\n")
    new = rehearse(place)
    Image.fromarray(np.zeros((4, 4, 3), "uint8")).save(place / "a.png")
    resized([place / "a.png"], 2)
    for name in KEEP:
        (place / "runs/toy" / name).mkdir()
    live = place / "runs/toy/live/data"
    live.mkdir(parents=True)
    (live / "train.csv").write_text("id\n")
    weights = place / "home/cache/weights"
    weights.mkdir()
    (weights / "model").write_text("downloaded")

    listed = json.loads(fkp("clean", "toy", "--json", "--yes", cwd=place).stdout)
    assert [item["what"] for item in listed] == ["old rehearsal"]
    assert listed[0]["path"].endswith(old) and listed[0]["size_bytes"] > 1000
    assert copies(place) == [new]

    refused = fkp("clean", cwd=place)  # no terminal: the question has no answer
    assert refused.returncode == 1 and "decoded images" in refused.stdout
    assert list((place / "home/cache/pixels").iterdir())
    done = fkp("clean", "-y", cwd=place)
    assert done.returncode == 0 and "Removed" in done.stdout
    assert not (place / "home/cache/pixels").exists()
    assert {p.name for p in (place / "runs/toy").iterdir()} == {*KEEP, "live", new}
    assert (live / "train.csv").exists() and (weights / "model").exists()
    assert "Nothing to remove" in fkp("clean", cwd=place).stdout


def test_a_copy_that_a_sandbox_uses_is_kept(place, monkeypatch):
    monkeypatch.chdir(place)
    train = place / "competitions/toy/train.csv"
    with rehearsal("toy") as box:
        first, lines = box.data.parent.name, train.read_text().splitlines()
    with rehearsal("toy"):
        train.write_text("\n".join(lines[:-1]) + "\n")
        second = rehearse_in_another_process(place)
        done = fkp("clean", "toy", "--yes", cwd=place)
    assert "kept, because a rehearsal uses it" in done.stderr
    assert copies(place) == sorted([first, second])


def rehearse_in_another_process(place) -> str:
    import subprocess
    import sys

    code = (
        "from fastkaggle_plus.workflow.rehearse import rehearsal\n"
        "with rehearsal('toy') as box: print(box.data.parent.name)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=place, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
