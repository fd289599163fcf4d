"""Which code of a competition's folder a trial uses, without comments and docstrings.

A file uses the files of its folder that it imports, and the data files that it names. A file that
imports by other means (`import_module`, `comp.module`) is taken to use every file.
"""

import ast
import contextlib
import hashlib
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from ..competition import COMPETITION_FILE, Competition
from ..exceptions import ConfigError, UnknownName
from ..modeling.registry import NO_MODEL_CODE, distributions, locate
from .trial import Trial

SHARED = "data.py"  # every trial uses it
_DYNAMIC_CALLS = ("__import__", "eval", "exec", "globals")
_DYNAMIC_METHODS = ("import_module", "exec_module", "module", "run_path", "run_module")


def own_models(comp: Competition, trial: Trial) -> dict[Path, set[str]]:
    """Return the files of the folder that define a trial's models, with the models' names."""
    found: dict[Path, set[str]] = {}
    for model in trial.models:
        try:
            source = locate(model, comp)
        except UnknownName as e:
            raise ConfigError(f"Trial {trial.name!r}: {e}") from e
        if source.is_own and source.file:
            found.setdefault(source.file, set()).add(source.name)
    return found


def own_code(comp: Competition, trial: Trial, *, versions: bool = True) -> list[str]:
    """Return the facts and the code of the folder, and the versions of packages, that count."""
    if comp.folder is None:
        return []
    unrelated = {"folder", "title", "url", "max_daily_submissions", "sandbox"}
    parts = [comp.model_dump_json(exclude=unrelated)]
    models = own_models(comp, trial)
    files = used_files(comp.folder, [comp.folder / SHARED, *models])
    imported = {used for file in files for used in _used_by(comp.folder, file)}
    for file in files:
        is_list_of_trials = file.name in NO_MODEL_CODE and file not in imported
        names = models.get(file, set()) if is_list_of_trials else set()
        parts += [file.name, _syntax(file, *sorted(names))]
        parts += _versions(file) if versions else ()
    for data_file in data_files(comp, files):
        parts += [data_file.name, hashlib.sha256(data_file.read_bytes()).hexdigest()]
    return parts


def own_imports(comp: Competition, trial: Trial) -> set[str]:
    """Return the packages that the files of a trial's own models import."""
    files = used_files(comp.folder, own_models(comp, trial)) if comp.folder else []
    return {root for tree in filter(None, map(_tree, files)) for root in _imported_roots(tree)}


def used_files(folder: Path, start: Iterable[Path]) -> list[Path]:
    """Return the .py files in `start` and those of the folder that they use, directly or not."""
    found: list[Path] = []
    waiting = [file for file in start if file.is_file()]
    while waiting:
        file = waiting.pop(0)
        if file not in found:
            found.append(file)
            waiting += _used_by(folder, file)
    return found


def _used_by(folder: Path, file: Path) -> list[Path]:
    tree = _tree(file)
    if tree is None or _is_dynamic(tree):
        return [f for f in sorted(folder.rglob("*.py")) if f.name not in NO_MODEL_CODE]
    roots = _imported_roots(tree)
    files = [folder / f"{root}.py" for root in roots]
    files += [f for root in roots for f in sorted((folder / root).rglob("*.py"))]
    return [f for f in files if f.is_file()]


@cache
def _is_dynamic(tree: ast.Module) -> bool:
    """Say whether code may use files that its import statements do not name."""
    return any(
        (isinstance(node, ast.Name) and node.id in _DYNAMIC_CALLS)
        or (isinstance(node, ast.Attribute) and node.attr in _DYNAMIC_METHODS)
        or (isinstance(node, ast.alias) and node.name in _DYNAMIC_METHODS)
        for node in ast.walk(tree)
    )


@cache
def _imported_roots(tree: ast.AST) -> list[str]:
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
    names = {name for tree in filter(None, map(_tree, files)) for name in _strings(tree)}
    candidates = [folder / name for name in sorted(names - others) if len(name) < 100]
    return [f for f in candidates if f.suffix != ".py" and f.is_file() and folder in f.parents]


@cache
def _strings(tree: ast.Module) -> list[str]:
    """Return the strings in code that may name a file."""
    constants = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    return [value for value in constants if isinstance(value, str) and "." in value]


def _versions(file: Path) -> Iterator[str]:
    """Yield the version of each installed package that a file imports."""
    tree = _tree(file)
    for root in sorted(set(_imported_roots(tree))) if tree else ():
        if root not in sys.stdlib_module_names:
            for name in distributions().get(root, ()):
                with contextlib.suppress(PackageNotFoundError):  # it was removed in the meantime
                    yield f"{name} {_version(name)}"


@cache
def _version(name: str) -> str:
    return version(name)


def _syntax(file: Path, *names: str) -> str:
    """Return a file's syntax; with names, only the statements that these functions need."""
    tree = _tree(file)
    if tree is None:
        return file.read_bytes().hex()
    return _dumped(tree, names)


@cache
def _dumped(tree: ast.Module, names: tuple[str, ...]) -> str:
    statements = _needed(tree, set(names)) if names else tree.body
    return "\n".join(ast.dump(s) for s in statements)


def _needed(tree: ast.Module, names: set[str]) -> list[ast.stmt]:
    """Return the top-level statements that some names need.

    Only functions, imports and assignments that nothing needed refers to are left out: other
    statements may change what the functions do.
    """
    needed: list[ast.stmt] = []
    if any(isinstance(n, ast.Name) and n.id in _DYNAMIC_CALLS for n in ast.walk(tree)):
        return tree.body
    while True:
        more = [s for s in tree.body if s not in needed and not _may_leave_out(s, names)]
        if not more:
            return [s for s in tree.body if s in needed]
        needed += more
        for statement in more:
            names |= {n.id for n in ast.walk(statement) if isinstance(n, ast.Name)}


def _may_leave_out(statement: ast.stmt, names: set[str]) -> bool:
    match statement:
        case ast.FunctionDef(name=name, decorator_list=[]):
            return name not in names
        case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
            bound = {(a.asname or a.name).partition(".")[0] for a in aliases}
            return not bound & {*names, "*"}
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
            return name not in names
    return False


def _tree(file: Path) -> ast.Module | None:
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
