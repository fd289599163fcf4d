"""Turn the files of a competition's folder into notebook cells that write them again.

A file may be split at its top-level names, so that each cell shows one idea.
"""

import ast
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..competition import COMPETITION_FILE, Competition
from ..data import CLEANING_FILE
from ..exceptions import NotebookError, UnknownName
from ..modeling.code_files import data_files, used_files
from ..sweeps.own_code import own_models
from ..sweeps.trial import Trial

FOLDER = "code"  # below the notebook's working folder
_MODEL = re.compile(r"[A-Za-z_]\w*\.[A-Za-z_]\w*")  # "file.function"
_DATA_FILE = re.compile(r"[\w-]+\.(csv|json|txt|tsv)")


@dataclass
class Inliner:
    """Return a folder's files piece by piece, and know which pieces are still missing."""

    comp: Competition
    lines_done: dict[str, int] = field(default_factory=dict)  # file -> lines inlined so far

    def has(self, name: str) -> bool:
        """Say whether the folder has this file."""
        return self._file(name).is_file()

    def text(self, name: str) -> str:
        """Return the text of a file."""
        if not self.has(name):
            raise NotebookError(
                f"{self.comp.folder} has no {name}, which its notebook.py inlines. "
                f'Write the file, or mark the cell when="{name}": then it is optional.'
            )
        return self._file(name).read_text(encoding="utf-8")

    def next_piece(self, name: str, *, until: str = "") -> str:
        """Return the source of a cell that writes the next piece of a file.

        The piece ends with the definition of the top-level name `until`, or with the file.
        """
        lines, start = self.text(name).splitlines(), self.lines_done.get(name, 0)
        end = self._last_line(name, until) if until else len(lines)
        piece = "\n".join(lines[start:end]).strip("\n")
        if not piece:
            raise NotebookError(
                f"{name} is inlined until {until!r}, but that piece is in an earlier cell. "
                "Inline the pieces in the order of the file."
            )
        self.lines_done[name] = end
        append = "-a " if start else ""
        return f"%%writefile {append}{FOLDER}/{self.comp.slug}/{name}\n{piece}"

    def files_before(self, name: str) -> list[str]:
        """Return the files that must be there before a file is loaded.

        For a .py file these are the tables and texts of the folder that it names in a string, and
        the .py files that it imports, with theirs; for the facts, the metric.py and the cleaning.
        """
        if name == COMPETITION_FILE:
            return [f for f in (self.comp.own_metric_file, CLEANING_FILE) if f and self.has(f)]
        if not name.endswith(".py") or not self.has(name):
            return []
        used = [self._file(name)]
        if name != "trials.py":  # its models are added by their names
            used = used_files(self.comp.folder or Path(), used)
        files: list[str] = []
        for file in reversed(used):
            tables = [f.name for f in data_files(self.comp, [file])]
            files += [*filter(_DATA_FILE.fullmatch, tables), _relative(file, self.comp)]
        return [f for f in dict.fromkeys(files) if f != name]

    def needed(self) -> list[str]:
        """Return the files that the notebook needs: facts, reader, models, trials, data."""
        trials = getattr(self.comp.module("trials"), "TRIALS", ())
        declared = [trial for trial in trials if isinstance(trial, Trial)]
        own = [f for trial in declared for f in own_models(self.comp, trial)]
        strings = _strings([trial.params for trial in declared])
        models = [f"{s.partition('.')[0]}.py" for s in strings if _MODEL.fullmatch(s)]
        files: list[str] = []
        for name in (
            *(COMPETITION_FILE, "data.py"),
            *(f.name for f in own if f.name != "trials.py"),
            *models,
            "trials.py",
        ):
            files += [*self.files_before(name), name]
        return [name for name in dict.fromkeys(files) if self.has(name)]

    def missing(self) -> list[str]:
        """Return the needed files that are not inlined completely."""
        return [
            name
            for name in self.needed()
            if self.lines_done.get(name, 0) < len(self.text(name).rstrip("\n").splitlines())
        ]

    def _file(self, name: str) -> Path:
        return (self.comp.folder or Path()) / name

    def _last_line(self, name: str, until: str) -> int:
        """Return the last line of the top-level statement that defines `until`."""
        ends: dict[str, int] = {}
        for node in ast.parse(self.text(name)).body:
            ends |= dict.fromkeys(_defined_names(node), node.end_lineno or 0)
        if until not in ends:
            raise UnknownName(f"top-level name of {name}", until, ends)
        return ends[until]


def _relative(file: Path, comp: Competition) -> str:
    return file.relative_to(comp.folder or Path()).as_posix()


def _strings(value: Any) -> list[str]:
    """Return every string in a trial's parameters; a bag names its model there."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, (list, tuple)):
        return []
    return [s for inner in value for s in _strings(inner)]


def _defined_names(node: ast.stmt) -> list[str]:
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return [name]
        case ast.Assign(targets=targets):
            return [n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name)]
        case ast.AnnAssign(target=ast.Name(id=name)):
            return [name]
    return []
