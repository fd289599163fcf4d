"""`pip install '.[all]'` brings everything that the library, the competitions and docs import."""

import ast
import configparser
import re
import sys
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
SETUP = configparser.ConfigParser()
SETUP.read(ROOT / "setup.cfg")
EXTRAS = dict(SETUP["options.extras_require"])
NOT_IN_ALL = {"all", "app", "dev", "kaggle", "offline", "parquet", "ray"}
ELSEWHERE = {"kaggle_secrets", "pyarrow", "ray"}  # of Kaggle's own image; extras not in `all`


def normal(name: str) -> str:
    return re.sub("[-_.]+", "_", name).lower()


def requirements(text: str) -> list[Requirement]:
    """Return the requirements of one option of setup.cfg, its own extras replaced."""
    found = []
    for requirement in map(Requirement, filter(None, text.splitlines())):
        if requirement.name == "fastkaggle_plus":
            found += [r for extra in requirement.extras for r in requirements(EXTRAS[extra])]
        else:
            found.append(requirement)
    return found


def installed_by(wanted: list[Requirement]) -> set[str]:
    """Return the names of these requirements and of all that they require."""
    names: set[str] = set()
    while wanted:
        requirement = wanted.pop()
        if normal(requirement.name) in names:
            continue
        names.add(normal(requirement.name))
        for other in map(Requirement, metadata.requires(requirement.name) or ()):
            extras = ("", *requirement.extras)
            if other.marker is None or any(other.marker.evaluate({"extra": e}) for e in extras):
                wanted.append(other)
    return names


def sources():
    for folder in ("fastkaggle_plus", "competitions"):
        yield from ((f, f.read_text("utf-8")) for f in (ROOT / folder).rglob("*.py"))
    for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        for block in re.findall(r"^```python\n(.*?)^```", page.read_text("utf-8"), re.S | re.M):
            yield page, block


def imports() -> dict[str, Path]:
    """Return the top-level packages that are imported, each with a file that does."""
    found: dict[str, Path] = {}
    for file, code in sources():
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names = [str(node.module)]
            else:
                continue
            found |= {name.split(".")[0]: file for name in names}
    own = {f.stem for f in (ROOT / "competitions").rglob("*.py")} | {"fastkaggle_plus"}
    return {n: f for n, f in found.items() if n not in sys.stdlib_module_names | own | ELSEWHERE}


def test_all_brings_everything_that_is_imported():
    needed = requirements(SETUP["options"]["install_requires"]) + requirements(EXTRAS["all"])
    brought, packages = installed_by(needed), metadata.packages_distributions()
    for name, file in imports().items():
        owners = {normal(owner) for owner in packages.get(name, [name])}
        assert owners & brought, f"{file} imports {name}"
    assert "six" in brought


def test_all_has_every_extra_but_a_few():
    [all_of_them] = map(Requirement, filter(None, EXTRAS["all"].splitlines()))
    assert set(EXTRAS) - NOT_IN_ALL == all_of_them.extras
