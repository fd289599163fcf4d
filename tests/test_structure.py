"""The shape of the library: few rooms at its top, one meaning per file name, short files.

Import rules, complexity, docstrings and prints are checked by `make check` (pyproject.toml).
"""

from collections import defaultdict
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "fastkaggle_plus"
FILES = [p for p in PACKAGE.rglob("*.py") if "competitions" not in p.relative_to(PACKAGE).parts]
MOST_ROOMS = 22
MOST_LINES = 400
MOST_LINES_IN_ALL = 27_000
# The same word for the same thing: a service and its client, or the same part of two families.
SHARED_NAMES = {
    "__init__",
    "batches",
    "competitions",
    "datasets",
    "metadata",
    "model",
    "network",
    "submissions",
    "training",
    "weights",
}


def test_the_top_has_few_rooms():
    rooms = {p.stem for p in PACKAGE.iterdir() if p.suffix == ".py" or (p / "__init__.py").exists()}
    assert len(rooms - {"__init__", "__main__"}) <= MOST_ROOMS, sorted(rooms)


def test_a_file_name_has_one_meaning():
    places = defaultdict(list)
    for file in FILES:
        places[file.stem].append(str(file.relative_to(PACKAGE)))
    twice = {n: files for n, files in places.items() if len(files) > 1 and n not in SHARED_NAMES}
    assert not twice, twice


def test_files_are_short_enough_to_read():
    lines = {str(f.relative_to(PACKAGE)): len(f.read_text("utf-8").splitlines()) for f in FILES}
    assert not {name: n for name, n in lines.items() if n > MOST_LINES}
    assert sum(lines.values()) <= MOST_LINES_IN_ALL, sum(lines.values())
