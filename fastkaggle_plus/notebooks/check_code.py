"""Check code cells: what they read from Kaggle's input folder, what they want of the internet, and whether a submission is written."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from ..competition import Competition
from .check_metadata import Declared
from .magics import is_shell, parsed, uncommented

Code = list[tuple[int, str]]  # (cell, source)
Fault = tuple[str, int, int, str]  # rule, cell, line, message

_INPUT = re.compile(r"(?:/kaggle/|\.\./)input/([\w./-]+)")
_INPUT_ROOT = re.compile(r"(?:/kaggle/|\.\./)input/?")
_PIP = re.compile(r"""\bpip3?(?:\s+|["']\s*,\s*["'])install\b""")
_FETCH = re.compile(r"\b(?:wget|curl|git\s+clone)\b")
_QUOTED_FETCH = re.compile(r"""["'](?:wget|curl|git\s+clone|git["']\s*,\s*["']clone)\b""")
_SUBMISSION = re.compile(r"\bwrite_submission\(|(?<![\w-])submission\.csv\b")
_ASKING = ("urlopen", "urlretrieve")
_CLIENTS, _VERBS = ("requests", "httpx"), ("get", "post", "head", "request", "stream")
_WEB = re.compile(r"https?://(?!127\.0\.0\.1|localhost)")


@dataclass(frozen=True)
class _Text:
    "What is plain to see of a text."

    said: str
    is_whole: bool  # False: more follows, which is not plain to see


_UNKNOWN = _Text("", is_whole=False)


def writes_submission(code: Code) -> bool:
    "Say whether the code so much as names the file that Kaggle scores; what it does there, the run shows."
    return any(_SUBMISSION.search(uncommented(source)) for _, source in code)


def input_faults(code: Code, declared: Declared, comp: Competition) -> Iterator[Fault]:
    "Everything that a cell reads from Kaggle's input folder must be declared as an input."
    names: dict[str, _Text] = {}  # variable -> the path it holds, where that is plain to see
    for i, source in code:
        told = set[int]()
        tree = parsed(source)
        for n, path in (*_written_paths(source), *_joined_paths(tree, names)):
            for match in _INPUT.finditer(path):
                if n not in told and not declared.mounts(match[1]):
                    told.add(n)
                    yield (
                        "input",
                        i,
                        n,
                        (
                            f"it reads {match[0]}, which no source of the metadata mounts. Declared: {declared.listing()}. "
                            "Declare it, or take the line out."
                        ),
                    )
        for call in _calls(tree):
            name, given = (
                _name(call),
                call.args[0].value
                if call.args and isinstance(call.args[0], ast.Constant)
                else None,
            )
            wanted = (
                (given if isinstance(given, str) else comp.slug)
                if name == "setup_comp"
                else given
                if name.endswith("competition_download")
                else None
            )
            if isinstance(wanted, str) and wanted not in declared.competitions:
                yield (
                    "input",
                    i,
                    call.lineno,
                    f"it reads the competition {wanted!r}, which competition_sources does not name. Declare it.",
                )
            if (
                name == "dataset_download"
                and isinstance(given, str)
                and not declared.has_dataset(given)
            ):
                yield (
                    "input",
                    i,
                    call.lineno,
                    f"it reads the dataset {given!r}, which dataset_sources does not name. Declare it.",
                )


def internet_faults(code: Code, declared: Declared) -> Iterator[Fault]:
    "Without internet packages come from a dataset, and nothing else comes at all."
    if declared.internet:
        return
    is_told = bool(declared.datasets)  # the missing library: once is enough
    for i, source in code:
        text = uncommented(source)
        for match in _PIP.finditer(text):
            if "--no-index" not in _command(text, match.start()):
                yield (
                    "internet",
                    i,
                    text.count("\n", 0, match.start()) + 1,
                    "pip needs the internet, which is off here. Attach a dataset of wheels and use --no-index --find-links.",
                )
        for n in sorted({*_fetching_lines(text), *_fetching_calls(source)}):
            yield (
                "internet",
                i,
                n,
                "it fetches something from the internet, which is off here. Put it into a dataset and attach that.",
            )
        if not is_told and (found := re.search(r"(?m)^\s*(?:import|from) fastkaggle_plus\b", text)):
            is_told = True
            yield (
                "internet",
                i,
                text.count("\n", 0, found.end()) + 1,
                "fastkaggle_plus cannot be installed: the internet is off and no dataset is attached. Make one with `fkp libs`, "
                "and name it as libs_dataset.",
            )


def _command(text: str, at: int) -> str:
    "The command around a place: of a shell line that line with what continues it, of Python all of the cell."
    lines, n = text.split("\n"), text.count("\n", 0, at)
    if not lines[n].lstrip().startswith(("!", "%")):
        return text
    end = n
    while end + 1 < len(lines) and lines[end].rstrip().endswith("\\"):
        end += 1
    return "\n".join(lines[n : end + 1])


def _fetching_lines(text: str) -> Iterator[int]:
    for n, line in enumerate(text.split("\n"), 1):
        if (
            _FETCH if is_shell(text) or re.match(r"\s*(?:[\w., ]+=\s*)?!", line) else _QUOTED_FETCH
        ).search(line):
            yield n


def _fetching_calls(source: str) -> Iterator[int]:
    "Lines of calls that read an address: of requests and urllib, and pandas' readers."
    for call in _calls(parsed(source)):
        owner = (
            call.func.value.id
            if isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Name)
            else ""
        )
        name, first = _name(call), _text(call.args[0], {}).said if call.args else ""
        is_asking = name in _ASKING or (owner in _CLIENTS and name in _VERBS)
        if (is_asking or name.startswith("read_") or name == "download_url_to_file") and _WEB.match(
            first
        ):
            yield call.lineno


def _written_paths(source: str) -> Iterator[tuple[int, str]]:
    yield from enumerate(source.splitlines(), 1)


def _joined_paths(tree: ast.AST, names: dict[str, _Text]) -> Iterator[tuple[int, str]]:
    "(line, path) of every path that is put together: Path(a) / b, os.path.join(a, b), an f-string, also over variables."
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Assign)
            and len(node.targets) == 1
            and isinstance(node.targets[0], ast.Name)
        ):
            if _INPUT_ROOT.match((path := _text(node.value, names)).said):
                names[node.targets[0].id] = path
    for node in ast.walk(tree):
        if (
            isinstance(node, (ast.BinOp, ast.Call, ast.JoinedStr))
            and (path := _text(node, names)).said
        ):
            yield node.lineno, path.said


def _text(node: ast.AST, names: dict[str, _Text]) -> _Text:
    "The text or path that an expression makes, up to the first part that is not plain to see."
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return _Text(node.value, is_whole=True)
    if isinstance(node, ast.Name):
        return names.get(node.id, _UNKNOWN)
    if isinstance(node, ast.FormattedValue):
        return _text(node.value, names)
    if isinstance(node, ast.JoinedStr):
        return _until_unknown("", node.values, names)
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Div, ast.Add)):
        return _until_unknown(
            "/" if isinstance(node.op, ast.Div) else "", [node.left, node.right], names
        )
    if isinstance(node, ast.Call) and _name(node) in (
        "Path",
        "PurePath",
        "PosixPath",
        "join",
        "joinpath",
    ):
        own = (
            [node.func.value]
            if _name(node) == "joinpath" and isinstance(node.func, ast.Attribute)
            else []
        )
        return _until_unknown("/", [*own, *node.args], names)
    return _UNKNOWN


def _until_unknown(between: str, nodes: list[ast.expr], names: dict[str, _Text]) -> _Text:
    parts: list[str] = []
    for node in nodes:
        part = _text(node, names)
        if part.said:
            parts.append(part.said)
        if not part.is_whole:  # what stands behind it is not known to follow upon what is known
            return _Text(between.join(parts), is_whole=False)
    return _Text(between.join(parts), is_whole=True)


def _calls(tree: ast.AST) -> list[ast.Call]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call)]


def _name(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
