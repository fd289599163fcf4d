"""What a model's file asks to have imported before processes are forked for its trials."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any


def preload_of(
    dotted: str,        # "file.function", as in Trial.model
    comp: Any = None,   # a Competition: its folder is looked in first
) -> tuple[str, ...]:
    """Return the packages that the model's file names in PRELOAD = ("torch", ...); () where it names none or cannot be read.

    Name there what takes long to import and starts no thread and no GPU meanwhile: a forked process could use neither.
    The file is read and not imported: what else it does is the trial's own business.
    """
    name, here = dotted.partition(".")[0], Path(__file__).parent
    own = [comp.folder / f"{name}.py"] if comp is not None and comp.folder else []
    for file in (*own, here / f"{name}.py", here / name / "__init__.py"):
        if file.is_file():
            return _constant(file)
    return ()


def _constant(file: Path) -> tuple[str, ...]:
    try:
        for node in ast.parse(file.read_bytes()).body:
            if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "PRELOAD" for t in node.targets):
                return tuple(map(str, ast.literal_eval(node.value)))
    except (OSError, SyntaxError, TypeError, ValueError):
        return ()   # the trial will say what is wrong with it
    return ()
