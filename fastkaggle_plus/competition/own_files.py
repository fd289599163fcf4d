"""Import the .py files of a competition's folder."""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def importable(folder: Path) -> Iterator[None]:
    """Let the block import the files of a folder, and forget them afterwards.

    Installed packages of the same name win. Bytecode is not written: it is checked by the second.
    """
    known, wrote_none = set(sys.modules), sys.dont_write_bytecode
    sys.dont_write_bytecode = True
    sys.path.append(str(folder))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        sys.dont_write_bytecode = wrote_none
        for name in set(sys.modules) - known:
            file = getattr(sys.modules[name], "__file__", None)
            if file and folder in Path(file).parents and not name.startswith("competitions."):
                del sys.modules[name]
