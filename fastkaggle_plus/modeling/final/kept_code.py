"""Own code of a competition's folder that a kept model needs: copied, listed, run only if asked."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...competition import COMPETITION_FILE, read_competition
from ...exceptions import DataError, listed
from ..code_files import data_files, used_files
from .member import Member, RowsOfFit

CODE = "code"  # the folder in a model's folder

OwnCode = Callable[[str, str], Any]  # (file without .py, name) -> what it defines


class KeptCode:
    """The files of own code that the objects of a model need."""

    def __init__(self) -> None:
        self.files: dict[Path, None] = {}

    def file_of(self, kind: Any) -> str:
        """Return the file of a class or function, without .py; "" if it is no own code."""
        functions = [kind, *getattr(kind, "__dict__", {}).values()]
        for code in filter(None, (getattr(f, "__code__", None) for f in functions)):
            file = Path(code.co_filename)
            if file.is_file() and (file.parent / COMPETITION_FILE).is_file():
                self.files[file] = None
                return file.stem
        return ""

    def write(self, folder: Path) -> None:
        """Copy the files, the files of their folder that they use, and competition.toml."""
        for file in self.files:
            source = file.parent
            comp = read_competition(source / COMPETITION_FILE)
            used = used_files(source, [file])
            for needed in (*used, *data_files(comp, used), source / COMPETITION_FILE):
                target = folder / needed.relative_to(source)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(needed, target)

    def notes(self, members: list[Member]) -> tuple[str, ...]:
        """Return what a user of the model should know, for the card."""
        found = []
        if self.files:
            names = listed(sorted(f.name for f in self.files))
            found.append(
                f"It runs own code ({names}): read the files in `{CODE}` before you load it."
            )
        if any(isinstance(m.features, RowsOfFit) for m in members):
            found.append(
                "It holds the features and the targets of its training rows: its own features need "
                "them. Share it only with those who may see them."
            )
        return tuple(found)


def read_code(folder: Path, files: dict[str, str], *, run_code: bool) -> OwnCode:
    """Return a function (file, name) -> what the file defines. It runs a file only if allowed."""

    def find(file: str, name: str) -> Any:
        if f"{CODE}/{file}.py" not in files:
            raise DataError(f"The model needs {file}.py, and its card does not list that file.")
        if not run_code:
            raise DataError(
                f"The model needs own code: {listed(files)} in {folder.parent}. Read these files; "
                "if you trust them, use load_model(folder, run_code=True)."
            )
        module = read_competition(folder / COMPETITION_FILE).module(file)
        return getattr(module, name)

    return find
