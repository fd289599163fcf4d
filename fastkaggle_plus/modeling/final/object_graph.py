"""Write fitted objects as JSON, arrays and the libraries' own files: a graph, without pickle.

Objects of this package are written as the name of their class and their attributes, and read
without a call of their `__init__`. A torch network is written as its weights, and as the record in
its attribute `recipe`, whose `build()` makes the network with random weights: so it also loads in
another version of torch. Attributes in a class's `NOT_KEPT` are left out.
"""

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ...exceptions import DataError
from .weight_formats import FORMATS, library_of

ARRAYS, TENSORS = "arrays.safetensors", "weights.safetensors"
_OURS = "fastkaggle_plus"
_PARTS = ("modeling", "reading", "data", "ensembling")  # of this package, whose classes are read
PLAIN = (bool, int, float, str, type(None))


class GraphWriter:
    """Writes objects into a folder; an object that is used twice is written once."""

    def __init__(
        self,
        folder: Path,
        own_file: Callable[[Any], str],  # class or function of own code -> its file, "" if none
    ):
        self.folder, self.own_file = folder, own_file
        self.arrays: dict[str, np.ndarray[Any, Any]] = {}
        self.tensors: dict[str, Any] = {}
        self.packages: set[str] = set()  # that are needed to load the folder
        self.seen: dict[int, tuple[int, Any]] = {}  # holds the objects, so that ids stay unique

    def encode(self, value: Any) -> Any:
        """Return a value as plain data. Raises DataError for a value that has no format."""
        if type(value) in PLAIN:
            return value
        if isinstance(value, np.generic):
            return {"scalar": value.item(), "dtype": value.dtype.str}
        if type(value) in (list, tuple, set):
            kind, items = type(value).__name__, [self.encode(v) for v in value]
            return items if kind == "list" else {kind: items}
        if isinstance(value, dict):
            return {"dict": [[self.encode(k), self.encode(v)] for k, v in value.items()]}
        if isinstance(value, Path):
            return str(value)
        if id(value) in self.seen:
            return {"same": self.seen[id(value)][0]}
        self.seen[id(value)] = (number := len(self.seen)), value
        value = value.to_keep() if hasattr(value, "to_keep") else value
        return {**self._object(value), "number": number}

    def close(self) -> None:
        """Write the arrays and the weights of the networks."""
        if self.arrays:
            from safetensors.numpy import save_file

            save_file(self.arrays, self.folder / ARRAYS)
        if self.tensors:
            from safetensors.torch import save_file as save_tensors

            save_tensors(self.tensors, self.folder / TENSORS)

    def _object(self, value: Any) -> dict[str, Any]:
        number = len(self.seen)
        if isinstance(value, np.ndarray):
            return self._array(value, f"a{number}")
        if isinstance(value, pd.DataFrame):
            columns = [
                [str(c), self._column(value[c], f"a{number}.{i}")] for i, c in enumerate(value)
            ]
            return {"frame": columns, "rows": len(value)}
        if any(c.__module__.startswith("torch.") for c in type(value).__mro__):
            return self._torch(value, f"n{number}")
        if (library := library_of(value)) and not isinstance(value, type):
            format, kind = FORMATS[library], type(value).__name__
            file = f"{library}-{number}{format.suffix}"
            format.write(value, self.folder / file)
            self.packages.add(format.package)
            return {"file": file, "library": library, "kind": kind}
        return self._class(value)

    def _array(self, array: np.ndarray[Any, Any], key: str) -> dict[str, Any]:
        if array.dtype.kind in "OUSM":
            is_time = array.dtype.kind == "M"
            values = array.astype(np.int64) if is_time else array
            items = [self.encode(v) for v in values.ravel().tolist()]
            return {"values": items, "shape": list(array.shape), "dtype": array.dtype.str}
        self.arrays[key] = np.array(array, order="C")  # a copy: slices would share memory
        return {"array": key}

    def _column(self, column: pd.Series, key: str) -> dict[str, Any]:
        if not isinstance(column.dtype, pd.CategoricalDtype):
            return self._array(column.to_numpy(), key)
        levels = [self.encode(v) for v in column.cat.categories.tolist()]
        return {"levels": levels, "codes": self._array(column.cat.codes.to_numpy(), key)}

    def _torch(self, value: Any, key: str) -> dict[str, Any]:
        import torch

        self.packages.add("torch")
        if isinstance(value, torch.Tensor):
            self.tensors[key] = _copied(value)
            return {"tensor": key}
        if not hasattr(value, "recipe"):
            raise DataError(
                f"A network of class {type(value).__name__} cannot be kept: nothing says how to "
                "build it again. Give it an attribute `recipe`, an object with a method build() "
                "that returns the network with any weights."
            )
        state = {f"{key}.{name}": _copied(t) for name, t in value.state_dict().items()}
        self.tensors |= state
        self.packages |= set(getattr(value.recipe, "PACKAGES", ()))
        return {"network": key, "recipe": self.encode(value.recipe)}

    def _class(self, value: Any) -> dict[str, Any]:
        is_function = callable(value) and hasattr(value, "__code__")
        kind = value if is_function or isinstance(value, type) else type(value)
        name, module = kind.__qualname__, kind.__module__
        own = "" if is_ours(module) else self.own_file(kind)
        if "<" in name or not (own or is_ours(module)) or (kind is value and not own):
            raise DataError(_cannot_keep(value, name, module))
        where = {"own": f"{own}:{name}"} if own else {"class": f"{module}:{name}"}
        if kind is value:
            return {**where, "whole": True}
        left_out = getattr(kind, "NOT_KEPT", ())
        state = {
            k: self.encode(v)
            for k, v in vars(value).items()
            if k not in left_out and not isinstance(getattr(kind, k, None), cached_property)
        }
        return {**where, "state": state}


def is_ours(module: str) -> bool:
    """Say whether a module has classes of models."""
    return module.startswith(tuple(f"{_OURS}.{part}" for part in _PARTS))


def _copied(tensor: Any) -> Any:
    return tensor.detach().cpu().contiguous().clone()


def _cannot_keep(value: Any, name: str, module: str) -> str:
    if "<" in name:
        return (
            f"{name.partition('.')[0]} of {module} cannot be kept: its fit returned a function "
            "that exists only inside another one. Return an object of a class at the top of its "
            "file, with a method predict(table)."
        )
    return (
        f"{module}.{name} cannot be kept: expected arrays, a scikit-learn estimator, a booster, a "
        "network with a `recipe`, or an object of a class of the competition's folder, got "
        f"{type(value).__name__}."
    )
