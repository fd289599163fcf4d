"""A competition's files as notebook cells that write them again: a file may be cut at its top-level names, so that each cell is one idea."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..competition import FACTS, Competition
from ..data import CLEANING_FILE
from ..exceptions import NotebookError, UnknownName

FOLDER = "code"  # below the notebook's working folder
_MODEL = re.compile(r"[A-Za-z_]\w*\.[A-Za-z_]\w*")  # "file.function"
_BESIDE = re.compile(r"[\w-]+\.(csv|json|txt|tsv)")  # a table, or words


@dataclass
class Inliner:
    "Hands out a folder's files piece by piece, and knows what is left."

    comp: Competition
    taken: dict[str, int] = field(default_factory=dict)  # file -> lines handed out so far

    def has(self, name: str) -> bool:
        "Say whether the folder has this file."
        return self._file(name).is_file()

    def text(self, name: str) -> str:
        "Return the text of a file."
        if not self.has(name):
            raise NotebookError(
                f"{self.comp.folder} has no {name}, which its notebook.py inlines. "
                f'Write one, or mark the cell when="{name}", so that it is left out without it.'
            )
        return self._file(name).read_text(encoding="utf-8")

    def piece(self, name: str, *, until: str = "") -> str:
        "Return the source of a cell that writes the file's next piece: up to the end of the top-level name `until`, else the rest."
        lines, start = self.text(name).splitlines(), self.taken.get(name, 0)
        end = self._end(name, until) if until else len(lines)
        body = "\n".join(lines[start:end]).strip("\n")
        if end <= start or not body:
            raise NotebookError(
                f"{name} is inlined up to {until!r} after that piece was inlined already. Name the pieces in the order of the file."
            )
        self.taken[name] = end
        return f"%%writefile {'-a ' if start else ''}{FOLDER}/{self.comp.slug}/{name}\n{body}"

    def read_by(self, name: str) -> list[str]:
        "Return the files beside a .py file that it names in a string, as data.py may read a table of its own: they have to be there before it is loaded."
        if name == FACTS and self.has(CLEANING_FILE):
            return [CLEANING_FILE]
        if not name.endswith(".py") or not self.has(name):
            return []
        words = (
            node.value
            for node in ast.walk(ast.parse(self.text(name)))
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        )
        downloaded = (self.comp.train, self.comp.test, self.comp.sample_submission)
        return [
            w
            for w in dict.fromkeys(words)
            if _BESIDE.fullmatch(w) and w not in (*downloaded, "results.csv") and self.has(w)
        ]

    def needed(self) -> list[str]:
        "Return the files that the notebook cannot do without: facts, reader, trials, the models of the trials, and what these read beside them."
        trials = getattr(self.comp.module("trials"), "TRIALS", ())
        named = [
            word for t in trials if hasattr(t, "model") for word in (t.model, *_words(t.params))
        ]
        models = [f"{word.partition('.')[0]}.py" for word in named if _MODEL.fullmatch(word)]
        wanted = [
            *(
                beside
                for name in (FACTS, "data.py", *models, "trials.py")
                for beside in (*self.read_by(name), name)
            ),
        ]
        return [name for name in dict.fromkeys(wanted) if self.has(name)]

    def left(self) -> list[str]:
        "Return the needed files that are not wholly inlined."
        return [
            name
            for name in self.needed()
            if self.taken.get(name, 0) < len(self.text(name).rstrip("\n").splitlines())
        ]

    def job(self, name: str) -> str:
        "Return what a file says of itself: its docstring."
        return (ast.get_docstring(ast.parse(self.text(name))) if name.endswith(".py") else "") or ""

    def _file(self, name: str) -> Path:
        return (self.comp.folder or Path()) / name

    def _end(self, name: str, until: str) -> int:
        "The last line of the top-level statement that binds `until`."
        ends = {
            bound: node.end_lineno or 0
            for node in ast.parse(self.text(name)).body
            for bound in _bound(node)
        }
        if until not in ends:
            raise UnknownName(f"top-level name of {name}", until, ends)
        return ends[until]


def _words(value: Any) -> list[str]:
    "Every string in a trial's parameters: a bag names the model that it bags."
    values = (
        value.values()
        if isinstance(value, dict)
        else value
        if isinstance(value, (list, tuple))
        else ()
    )
    return [value] if isinstance(value, str) else [word for one in values for word in _words(one)]


def _bound(node: ast.stmt) -> list[str]:
    "The names that a statement binds."
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return [node.name]
    targets = (
        node.targets
        if isinstance(node, ast.Assign)
        else [node.target]
        if isinstance(node, ast.AnnAssign)
        else []
    )
    return [t.id for target in targets for t in ast.walk(target) if isinstance(t, ast.Name)]
