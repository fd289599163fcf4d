"""Which code of a competition's folder a trial uses, without comments and docstrings."""

import ast
import contextlib
import hashlib
import sys
from collections.abc import Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from ..competition import Competition
from ..exceptions import ConfigError, UnknownName
from ..modeling.code_files import (
    DYNAMIC_CALLS,
    data_files,
    imported_roots,
    syntax_tree,
    used_by,
    used_files,
)
from ..modeling.registry import NO_MODEL_CODE, distributions, locate
from .trial import Trial

SHARED = "data.py"  # every trial uses it


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
    imported = {used for file in files for used in used_by(comp.folder, file)}
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
    return {root for tree in filter(None, map(syntax_tree, files)) for root in imported_roots(tree)}


def _versions(file: Path) -> Iterator[str]:
    """Yield the version of each installed package that a file imports."""
    tree = syntax_tree(file)
    for root in sorted(set(imported_roots(tree))) if tree else ():
        if root not in sys.stdlib_module_names:
            for name in distributions().get(root, ()):
                with contextlib.suppress(PackageNotFoundError):  # it was removed in the meantime
                    yield f"{name} {_version(name)}"


@cache
def _version(name: str) -> str:
    return version(name)


def _syntax(file: Path, *names: str) -> str:
    """Return a file's syntax; with names, only the statements that these functions need."""
    tree = syntax_tree(file)
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
    if any(isinstance(n, ast.Name) and n.id in DYNAMIC_CALLS for n in ast.walk(tree)):
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
