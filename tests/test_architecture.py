"""Imports point one way, heavy packages stay in their folder, and the environment is read in one file."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "fastkaggle_plus"
FILES = sorted(
    p for p in PACKAGE.rglob("*.py") if "competitions" not in p.relative_to(PACKAGE).parts
)
LAYERS = [
    {"exceptions", "watching"},
    {"environment", "secret_scan"},
    {"metrics", "labels"},
    {"data"},
    {"reading"},
    {"competition", "folds", "predictions"},
    {"evidence"},
    {
        "kaggle_client",
        "modeling",
        "notebooks",
        "sandbox",
        "ensembling",
        "submission",
        "vault",
        "new",
    },
    {"reporting"},
    {"sweeps", "rehearsals"},
    {"outcomes"},
    {"loop", "doctor", "weights_along"},
    {"pushes"},
    {"terminal"},
    {"cli"},
    {"__init__", "__main__"},
]
TOGETHER = ("cli",)  # files that begin alike count as one
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
ONLY_IN = {
    "torch": "modeling",
    "fastai": "modeling",
    "fastcore": "modeling",
    "timm": "modeling",
    "transformers": "modeling",
    "lightgbm": "modeling",
    "xgboost": "modeling",
    "catboost": "modeling",
    "kaggle": "kaggle_client",
    "kagglesdk": "kaggle_client",
    "fastkaggle": "kaggle_client",
    "kagglehub": "kaggle_client",
    "starlette": "sandbox",
    "uvicorn": "sandbox",
    "ray": "sweeps",
    "typer": "cli",
    "rich": "terminal",
    "matplotlib": "reporting",
    "jinja2": "reporting sandbox",
    "nbclient": "sandbox notebooks",
    "jupytext": "notebooks",
    "sqlite_utils": "vault",
}


def unit(file: Path) -> str:
    "The file or folder at the top of the package that `file` belongs to."
    name = file.relative_to(PACKAGE).parts[0].removesuffix(".py")
    return next((one for one in TOGETHER if name.startswith(one)), name)


def imports(file: Path) -> set[str]:
    "Dotted names imported anywhere in a file, lazily or not, but not for type checkers only; own modules start with a dot."
    tree = ast.parse(file.read_text(encoding="utf-8"))
    hidden = {
        n
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for n in ast.walk(node)
    }
    package = file.relative_to(PACKAGE.parent).with_suffix("").parts[:-1]
    found = set()
    for node in ast.walk(tree):
        if node in hidden:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = (
                ".".join([*package[: len(package) - node.level + 1], *filter(None, [node.module])])
                if node.level
                else node.module or ""
            )
            found |= (
                {base}
                if base != "fastkaggle_plus"
                else {f"{base}.{alias.name}" for alias in node.names}
            )
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(PACKAGE)))
def test_imports_point_down(file):
    here = unit(file)
    assert here in LEVEL, f"{here} has no layer yet: give it one here and in the design"
    for name in imports(file):
        if name.startswith("fastkaggle_plus."):
            there = name.split(".")[1]
            there = next((one for one in TOGETHER if there.startswith(one)), there)
            assert there == here or LEVEL[there] < LEVEL[here], f"{here} must not import {there}"


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(PACKAGE)))
def test_heavy_packages_stay_in_their_folder(file):
    for name in imports(file):
        home = ONLY_IN.get(name.split(".")[0])
        assert home is None or unit(file) in home.split(), f"only {home} imports {name}"


def test_one_file_reads_the_environment_and_only_the_command_line_prints():
    for file in FILES:
        tree, here = ast.parse(file.read_text(encoding="utf-8")), unit(file)
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Attribute)
                and node.attr in ("environ", "getenv", "putenv")
                and getattr(node.value, "id", "") == "os"
            ):
                assert here == "environment", f"{file.name}:{node.lineno} reads the environment"
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "print":
                assert here in ("cli", "terminal"), f"{file.name}:{node.lineno} prints"
            if (
                isinstance(node, ast.Call)
                and getattr(node.func, "attr", "") == "exit"
                and getattr(node.func.value, "id", "") == "sys"
            ):
                assert here == "cli", f"{file.name}:{node.lineno} exits"


def test_no_file_has_grown_past_reading():
    long = {
        str(f.relative_to(PACKAGE)): n
        for f in FILES
        if (n := len(f.read_text(encoding="utf-8").splitlines())) > 400
    }
    assert not long, long


def test_every_file_says_its_job_first():
    silent = [
        str(f.relative_to(PACKAGE))
        for f in FILES
        if not ast.get_docstring(ast.parse(f.read_text(encoding="utf-8")))
    ]
    assert not silent, silent
