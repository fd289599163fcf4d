"""Find a model by the name that a Trial gives it, check its parameters, and make it.

A name is a function ("forest_model"), a function of a file ("forest.forest_model"), or a class of
an installed library ("sklearn.linear_model.Ridge"). The competition's folder is searched first.
"""

import ast
import importlib.metadata
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from ..exceptions import ConfigError, UnknownName
from .hyperparameters import check_arguments
from .model import Model
from .tabular.estimators import from_estimator, is_estimator, seed_of

_HERE = Path(__file__).parent
_PACKAGE = __name__.rpartition(".")[0]
_FIRST = "trials.py"  # searched first for a function without a file
NO_MODEL_CODE = ("notebook.py", "rehearsal.py", _FIRST)  # of a competition's folder
_NO_MODELS = ("registry", "final", "explain")  # their functions take or load a model
_HINT = (
    "A model is a function of the competition's folder, one of these, or a class of an installed "
    'library, as in "sklearn.linear_model.Ridge".'
)


@dataclass(frozen=True)
class ModelSource:
    """Where a model is defined."""

    name: str  # of the function or class
    module: str  # to import; for the competition's own models, the file's name without .py
    file: Path | None = None  # None: a class of an installed library
    is_own: bool = False  # whether the file is in the competition's folder


@cache
def public_models() -> dict[str, Path]:
    """Return the file of each model that `fastkaggle_plus.modeling` exports, by function."""
    stub = ast.parse((_HERE / "__init__.pyi").read_text(encoding="utf-8"))
    return {
        alias.name: _HERE / f"{str(node.module).replace('.', '/')}.py"
        for node in stub.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.name.endswith("_model") and str(node.module).partition(".")[0] not in _NO_MODELS
    }


@cache
def distributions() -> Mapping[str, list[str]]:
    """Return the installed distributions of each package that can be imported, each once."""
    # a distribution is found twice where Python starts in the folder of an editable installation
    found = importlib.metadata.packages_distributions().items()
    return {package: sorted(set(names)) for package, names in found}


def locate(
    dotted: str,  # as in Trial.model
    comp: Any = None,  # a Competition: its folder is searched first
) -> ModelSource:
    """Return where a model is defined, without importing it. Raises UnknownName, ConfigError."""
    *path, name = dotted.split(".")
    if all(part.isidentifier() for part in (*path, name)):
        if own := _own_file(path, name, comp):
            return ModelSource(name, own.stem, own, is_own=True)
        file = public_models().get(name)
        if file and path in ([], [_file_label(file)]):
            module = ".".join([_PACKAGE, *file.relative_to(_HERE).with_suffix("").parts])
            return ModelSource(name, module, file)
        if path and path[0] in distributions():
            return ModelSource(name, ".".join(path))
    raise UnknownName("model", dotted, known_models(comp), _HINT)


def find_model(
    dotted: str,  # as in Trial.model
    comp: Any = None,  # a Competition: its folder is searched first
) -> Any:
    """Return the function or class that makes a model. Raises UnknownName with near matches."""
    source = locate(dotted, comp)
    if source.is_own:
        found = getattr(comp.module(source.module), source.name, None)
        if not callable(found):
            near = [f"{source.module}.{n}" for n in _functions(source.file)]
            raise UnknownName("model", dotted, near, f"{source.file} does not define it.")
        return found
    try:
        module = import_module(source.module)
    except ImportError as e:
        raise UnknownName("model", dotted, known_models(comp), f"{e}. {_HINT}") from e
    found = getattr(module, source.name, None)
    if source.file is None and not _is_estimator_class(found):
        classes = [n for n, v in vars(module).items() if _is_estimator_class(v)]
        near = [f"{source.module}.{n}" for n in get_close_matches(source.name, classes)]
        raise UnknownName("model", dotted, near or known_models(comp), _HINT)
    return found


def build(
    dotted: str,  # as in Trial.model
    params: Mapping[str, Any],
    comp: Any = None,  # a Competition: its folder is searched first
) -> Model:
    """Return the model of a trial."""
    function, params = find_model(dotted, comp), dict(params)
    if _takes_model(function) and isinstance(params.get("model"), str):
        inner = build(params["model"], params.pop("params", None) or {}, comp)
        params["model"] = inner  # the function itself does not know the competition's folder
    return model_from(function(**params), name=dotted.rpartition(".")[2])


def model_from(
    model: Any,  # a Model, an estimator or its class, or a fit function
    *,
    name: str = "",  # of a fit function; default: the function's
) -> Model:
    """Return a Model made of anything that can be fitted. Raises ConfigError."""
    if isinstance(model, Model):
        return model
    if is_estimator(model):
        return from_estimator(model() if isinstance(model, type) else model)
    if callable(model):
        if public_models().get(made := getattr(model, "__name__", "")):
            raise ConfigError(f"Expected a model, got the function that makes one. Write {made}().")
        return Model(name or getattr(model, "__name__", "own model"), model)
    raise ConfigError(
        "Expected a Model, a fit function or an estimator with `fit` and `predict`, "
        f"got {type(model).__name__}: {str(model)[:60]!r}."
    )


def check_declared(
    dotted: str,  # as in Trial.model
    params: Mapping[str, Any],
    comp: Any = None,  # a Competition: its folder is searched first
) -> None:
    """Check a trial's model and parameters before anything trains, without running own code.

    Raises UnknownName for an unknown model or parameter, ConfigError for a value of another type.
    """
    source, function = locate(dotted, comp), find_model(dotted, comp)
    check_arguments(function, params, name=dotted)
    if _takes_model(function):
        check_declared(params["model"], params.get("params") or {}, comp)
    elif isinstance(function, type):
        from_estimator(function(**params), task=getattr(comp, "task", ""))
    elif not source.is_own and source.file and source.file.parent.name == "tabular":
        function(**params)  # these check their values, and import no network


def default_params(dotted: str, comp: Any = None) -> dict[str, Any]:
    """Return the defaults of a model's function, None for no default. Raises UnknownName."""
    function = find_model(dotted, comp)
    parameters = inspect.signature(function).parameters.values()
    found = {p.name: None if p.default is p.empty else p.default for p in parameters}
    if isinstance(function, type) and "random_state" in found:
        found["random_state"] = seed_of(found["random_state"])
    return found


def known_models(comp: Any = None) -> list[str]:
    """Return the models that a trial can name: the competition's own, and the package's."""
    files = _own_files(comp)
    own = [n for file in files for n in _functions(file) if n.endswith("_model")]
    return sorted({*own, *public_models()})


def _own_file(path: list[str], name: str, comp: Any) -> Path | None:
    """Return the file of the competition's folder that a name refers to, if any."""
    files = _own_files(comp)
    if path:
        named = [file for file in files if [file.stem] == path]
        return named[0] if named else None
    found = [file for file in files if name in _functions(file)]
    if len(found) > 1 and found[0].name != _FIRST:
        both = " and ".join(file.name for file in found)
        raise ConfigError(
            f"{name!r} is defined in {both}. Name the file as well: {found[0].stem}.{name}."
        )
    return found[0] if found else None


def _own_files(comp: Any) -> list[Path]:
    """Return the files of a competition's folder that may define models, trials.py first."""
    if comp is None or not comp.folder:
        return []
    files = [f for f in sorted(comp.folder.glob("*.py")) if f.name not in NO_MODEL_CODE]
    trials = comp.folder / _FIRST
    return [trials, *files] if trials.is_file() else files


def _functions(file: Path | None) -> list[str]:
    """Return the public functions and classes that a file defines at its top level."""
    try:
        tree = ast.parse(file.read_bytes() if file else b"")
    except (OSError, SyntaxError, ValueError):  # importing the file will report it
        return []
    kinds = (ast.FunctionDef, ast.ClassDef)
    return [n.name for n in tree.body if isinstance(n, kinds) and not n.name.startswith("_")]


def _file_label(file: Path) -> str:
    """Return the name of a package's file in a trial; a room's own name means its model.py."""
    return file.parent.name if file.stem == "model" else file.stem


def _is_estimator_class(value: Any) -> bool:
    return isinstance(value, type) and is_estimator(value)


def _takes_model(function: Any) -> bool:
    """Say whether a function of this package makes a model of another one, as `bag_model` does."""
    wrappers = (f"{_PACKAGE}.bagging", f"{_PACKAGE}.without")
    return getattr(function, "__module__", "") in wrappers
