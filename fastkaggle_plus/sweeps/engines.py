"""The places where a sweep can run. Each is a function run_NAME in a file run_NAME.py here."""

import contextlib
import importlib
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..exceptions import ConfigError, MissingExtra, UnknownName
from ..ui.records import Records
from .execution import SweepOptions
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


def own_options(name: str) -> list[str]:
    """Return the options that a place takes beyond those of every place, by its signature."""
    parameters = inspect.signature(find_engine(name)).parameters.values()
    return [p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.name != "vault"]


def given_options(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that are not None, for a place.

    Raises ConfigError for an option that this place does not take, UnknownName if none does.
    """
    given = {k: v for k, v in options.items() if v is not None}
    known = {*own_options(name), *SweepOptions.__annotations__}
    for option in given.keys() - known:
        places = [place for place in engine_names() if option in _options_or_none(place)]
        if not places:
            raise UnknownName("option of a sweep", option, known)
        raise ConfigError(
            f"Sweeps on {name} do not take the option {option}: only {' and '.join(places)} does. "
            f'Leave it out, or run the sweep there: --on {places[0]}, or on="{places[0]}".'
        )
    return given


def _options_or_none(name: str) -> list[str]:
    with contextlib.suppress(MissingExtra):
        return own_options(name)
    return []
