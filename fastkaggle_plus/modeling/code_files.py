"""The files of a competition's folder that its code uses, found without running it.

A file uses the files of its folder that it imports, and the data files that it names. A file that
imports by other means (`import_module`, `comp.module`) is taken to use every file.
"""

import ast
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from ..competition import COMPETITION_FILE, Competition
from .registry import NO_MODEL_CODE

DYNAMIC_CALLS = ("__import__", "eval", "exec", "globals")
_DYNAMIC_METHODS = ("import_module", "exec_module", "module", "run_path", "run_module")


def used_files(folder: Path, start: Iterable[Path]) -> list[Path]:
    """Return the .py files in `start` and those of the folder that they use, directly or not."""
    found: list[Path] = []
    waiting = [file for file in start if file.is_file()]
    while waiting:
        file = waiting.pop(0)
        if file not in found:
            found.append(file)
            waiting += used_by(folder, file)
    return found


def used_by(folder: Path, file: Path) -> list[Path]:
    """Return the files of a folder that one of its files imports."""
    tree = syntax_tree(file)
    if tree is None or _is_dynamic(tree):
        return [f for f in sorted(folder.rglob("*.py")) if f.name not in NO_MODEL_CODE]
    roots = imported_roots(tree)
    files = [folder / f"{root}.py" for root in roots]
    files += [f for root in roots for f in sorted((folder / root).rglob("*.py"))]
    return [f for f in files if f.is_file()]


@cache
def _is_dynamic(tree: ast.Module) -> bool:
    """Say whether code may use files that its import statements do not name."""
    return any(
        (isinstance(node, ast.Name) and node.id in DYNAMIC_CALLS)
        or (isinstance(node, ast.Attribute) and node.attr in _DYNAMIC_METHODS)
        or (isinstance(node, ast.alias) and node.name in _DYNAMIC_METHODS)
        for node in ast.walk(tree)
    )


@cache
def imported_roots(tree: ast.AST) -> list[str]:
    """Return the first part of each imported name, and the names after `from . import`."""
    roots: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            roots += [alias.name.partition(".")[0] for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            roots += [node.module.partition(".")[0]] if node.module else []
            roots += [alias.name for alias in node.names if node.level]
    return roots


def data_files(comp: Competition, files: Iterable[Path]) -> list[Path]:
    """Return the data files of the folder that these .py files name in a string.

    The competition's own tables do not count, nor the record of its results.
    """
    # The data's fingerprint covers the tables; of competition.toml the facts count.
    others = {COMPETITION_FILE, comp.train, comp.test, comp.sample_submission, "results.csv"}
    folder = comp.folder or Path()
    names = {name for tree in filter(None, map(syntax_tree, files)) for name in _strings(tree)}
    candidates = [folder / name for name in sorted(names - others) if len(name) < 100]
    return [f for f in candidates if f.suffix != ".py" and f.is_file() and folder in f.parents]


@cache
def _strings(tree: ast.Module) -> list[str]:
    """Return the strings in code that may name a file."""
    constants = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    return [value for value in constants if isinstance(value, str) and "." in value]


def syntax_tree(file: Path) -> ast.Module | None:
    """Return a file's syntax without docstrings; None if it does not parse."""
    return _parse(file.read_bytes())


@cache
def _parse(code: bytes) -> ast.Module | None:
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError):  # importing the file will report it
        return None
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body = node.body[1:]
    return tree
