"""Find a model by the name that a Trial gives it: "file.function"."""

from importlib import import_module
from pathlib import Path
from typing import Any

from ..exceptions import UnknownName

_HERE = Path(__file__).parent
_ROOMS = ("tabular", "vision", "text")
_PACKAGE = __name__.rpartition(".")[0]


def model_files() -> dict[str, Path]:
    """Return the files that may hold models, by the name that a Trial uses.

    A room's own name, as in "vision.vision_model", means its model.py.
    """
    files = {room: _HERE / room / "model.py" for room in _ROOMS}
    for folder in (_HERE, *(_HERE / room for room in _ROOMS)):
        for file in sorted(folder.glob("*.py")):
            if not file.stem.startswith("_"):
                files.setdefault(file.stem, file)
    return files


def find_model(
    dotted: str,  # "file.function", as in Trial.model
    comp: Any = None,  # a Competition: its folder is searched first
) -> Any:
    """Return the function that makes a model. Raises UnknownName with near matches."""
    file, _, function = dotted.partition(".")
    if not (file.isidentifier() and function.isidentifier()):
        raise UnknownName("model", dotted, _known_models(), "Write it as file.function.")
    module = comp.module(file) if comp is not None else None
    if module is None:
        files = model_files()
        if file not in files:
            hint = f"{dotted!r} is searched in the competition's folder and in {_PACKAGE}."
            raise UnknownName("model file", file, files, hint)
        path = files[file].relative_to(_HERE).with_suffix("")
        module = import_module(".".join([_PACKAGE, *path.parts]))
    if not callable(found := getattr(module, function, None)):
        near = [f"{file}.{n}" for n in vars(module) if n.endswith("_model") or n == "bag"]
        raise UnknownName("model", dotted, near)
    return found


def _known_models() -> list[str]:
    """Return the models that `fastkaggle_plus.modeling` exports, by the names that Trials use."""
    modeling, names = import_module(_PACKAGE), []
    for function in (getattr(modeling, n) for n in modeling.__all__ if n.endswith("_model")):
        *_, room, file = function.__module__.split(".")
        names.append(f"{room if file == 'model' else file}.{function.__name__}")
    return sorted(names)
