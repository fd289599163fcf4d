"""Read the graph of objects that `object_graph` wrote: only classes of models, and own code."""

from __future__ import annotations

from dataclasses import MISSING, fields, is_dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ...exceptions import DataError, needs_extra
from .kept_code import OwnCode
from .object_graph import ARRAYS, PLAIN, TENSORS, is_ours
from .weight_formats import FORMATS


class GraphReader:
    """Reads what `GraphWriter` wrote."""

    def __init__(self, folder: Path, own_code: OwnCode):
        self.folder, self.own_code = folder, own_code
        self.seen: dict[int, Any] = {}

    def decode(self, plain: Any) -> Any:
        """Return the value. Raises DataError for classes that are not of a kept model."""
        if type(plain) in PLAIN:
            return plain
        if isinstance(plain, list):
            return [self.decode(v) for v in plain]
        if "same" in plain:
            return self.seen[plain["same"]]
        if "scalar" in plain:
            return np.dtype(plain["dtype"]).type(plain["scalar"])
        for kind in (tuple, set):
            if kind.__name__ in plain:
                return kind(self.decode(v) for v in plain[kind.__name__])
        if "dict" in plain:
            return {self.decode(k): self.decode(v) for k, v in plain["dict"]}
        self.seen[plain["number"]] = value = self._object(plain)
        return value

    @cached_property
    def arrays(self) -> dict[str, Any]:
        """The arrays by key."""
        with needs_extra("keep"):
            from safetensors.numpy import load_file
        return load_file(self.folder / ARRAYS)

    @cached_property
    def tensors(self) -> dict[str, Any]:
        """The tensors by key."""
        from safetensors.torch import load_file  # torch needs it too

        return load_file(self.folder / TENSORS)

    def _object(self, plain: dict[str, Any]) -> Any:
        if "array" in plain or "values" in plain:
            return self._array(plain)
        if "frame" in plain:
            columns = {name: self._column(column) for name, column in plain["frame"]}
            return pd.DataFrame(columns, index=range(plain["rows"]))
        if "library" in plain:
            return FORMATS[plain["library"]].read(self.folder / plain["file"], plain["kind"])
        if "tensor" in plain:
            return self.tensors[plain["tensor"]]
        if "network" in plain:
            return self._network(plain)
        return self._class(plain)

    def _array(self, plain: dict[str, Any]) -> Any:
        if "array" in plain:
            return self.arrays[plain["array"]]
        flat = np.empty(len(plain["values"]), dtype=object)
        flat[:] = [self.decode(v) for v in plain["values"]]
        dtype = np.dtype(plain["dtype"])
        typed = flat.astype(np.int64).astype(dtype) if dtype.kind == "M" else flat.astype(dtype)
        return typed.reshape(plain["shape"])

    def _column(self, plain: dict[str, Any]) -> Any:
        if "levels" not in plain:
            return self._array(plain)
        levels = pd.Index([self.decode(v) for v in plain["levels"]])
        return pd.Categorical.from_codes(self._array(plain["codes"]), categories=levels)

    def _network(self, plain: dict[str, Any]) -> Any:
        import torch

        net, prefix = self.decode(plain["recipe"]).build(), f"{plain['network']}."
        names = [k for k in self.tensors if k.startswith(prefix)]
        net.load_state_dict({k.removeprefix(prefix): self.tensors[k] for k in names})
        return net.eval().to("cuda" if torch.cuda.is_available() else "cpu")

    def _class(self, plain: dict[str, Any]) -> Any:
        if "own" in plain:
            kind: Any = self.own_code(*plain["own"].split(":"))
        else:
            kind = _our_class(plain["class"])
        if plain.get("whole"):
            return kind
        value = object.__new__(kind)
        vars(value).update({k: self.decode(v) for k, v in plain["state"].items()})
        for field in fields(kind) if is_dataclass(kind) else ():
            if field.name not in vars(value) and field.default_factory is not MISSING:
                vars(value)[field.name] = field.default_factory()
        return value


def _our_class(dotted: str) -> Any:
    """Import a class of this package. Raises DataError for anything else."""
    module, _, name = dotted.partition(":")
    found = getattr(import_module(module), name, None) if is_ours(module) else None
    if not isinstance(found, type) or found.__module__ != module:
        raise DataError(
            f"model.json names {dotted!r}; expected a class of a model. The folder was saved by a "
            "newer version of fastkaggle_plus, or it is no model: update, or save it again."
        )
    return found
