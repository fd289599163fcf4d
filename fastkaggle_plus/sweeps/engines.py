"""The places where a sweep can run. Each is a function run_NAME in a file run_NAME.py here."""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..exceptions import UnknownName
from ..ui.records import Records
from .trial import TrialResult

DEFAULT = "local"
# the signature of `run_local`, with options of its own
Engine = Callable[..., Records[TrialResult]]


def engine_names() -> list[str]:
    """Return the names of the places: local first."""
    files = Path(__file__).parent.glob("run_*.py")
    names = {file.stem.removeprefix("run_") for file in files}
    return sorted(names, key=lambda name: (name != DEFAULT, name))


def find_engine(name: str) -> Engine:
    """Return the function that runs a sweep in a place. Raises UnknownName, MissingExtra."""
    if name not in (names := engine_names()):
        raise UnknownName("place to run", name, names)
    module: Any = importlib.import_module(f".run_{name}", __package__)
    engine: Engine = getattr(module, f"run_{name}")
    return engine
