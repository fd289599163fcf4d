"""The shape of the library: few rooms at the top, one meaning a file name, short files.

Import rules, complexity, docstrings and prints are checked by `make check` (pyproject.toml).
"""

import re
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "fastkaggle_plus"
TEMPLATES = {"competitions", "lessons"}  # of notebooks, not of the library
FILES = [p for p in PACKAGE.rglob("*.py") if not TEMPLATES & {*p.relative_to(PACKAGE).parts}]
MOST_ROOMS = 22
MOST_LINES = 400
MOST_LINES_IN_ALL = 46_970
# The same word for the same thing: a service and its client, or the same part of two families.
SHARED_NAMES = {
    "batches",
    "competitions",
    "lookup",
    "metadata",
    "model",
    "network",
    "push",
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
    twice = {
        n: files
        for n, files in places.items()
        if len(files) > 1 and n not in {"__init__", *SHARED_NAMES}
    }
    assert not twice, twice


def test_files_are_short_enough_to_read():
    lines = {str(f.relative_to(PACKAGE)): len(f.read_text("utf-8").splitlines()) for f in FILES}
    assert not {name: n for name, n in lines.items() if n > MOST_LINES}
    assert sum(lines.values()) <= MOST_LINES_IN_ALL, sum(lines.values())


def test_texts_use_standard_english_words():
    """Words of an earlier private style, each with a standard word in its place."""
    style = re.compile(
        r"\b(came|mend(s|ed|ing)?|nobody|whoever|of which|beside|told(?! apart)|tells|meanwhile"
        r"|to be had|at hand|what cannot be|anew|afresh|torn|its own business)\b",
        re.IGNORECASE,
    )
    texts = [*FILES, *ROOT.glob("docs/*.md"), ROOT / "README.md"]
    texts += PACKAGE.glob("notebooks/lessons/*.py")
    texts += [f for f in ROOT.glob("competitions/*/*") if f.suffix in (".py", ".md", ".toml")]
    found = [
        f"{file.relative_to(ROOT)}:{i}: {line.strip()}"
        for file in texts
        for i, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
        if style.search(line)
    ]
    assert not found, "\n".join(found)
