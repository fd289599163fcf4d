"""Check code cells for undeclared inputs, use of the internet, and a missing submission."""

import ast
import re
from collections.abc import Iterator

from ..competition import Competition
from ..kaggle_client.kernels.metadata import KernelMetadata
from .check_metadata import has_dataset, is_mounted
from .finding import Finding
from .magics import is_shell_cell, parse_cell, strip_comments

Code = list[tuple[int, str]]  # (number of the cell, its source)

_INPUT = re.compile(r"(?:/kaggle/|\.\./)input/([\w./-]+)")
_INPUT_ROOT = re.compile(r"(?:/kaggle/|\.\./)input/?")
_PIP = re.compile(r"""\bpip3?(?:\s+|["']\s*,\s*["'])install\b""")
_IMPORT = re.compile(r"(?m)^\s*(?:import|from) fastkaggle_plus\b")
_SUBMISSION = re.compile(r"\bwrite_submission\(|(?<![\w-])submission\.csv\b")
# Downloads on a shell line, and downloads as strings in Python.
_SHELL_LINE = re.compile(r"\s*(?:[\w., ]+=\s*)?!")
_DOWNLOAD = re.compile(r"\b(?:wget|curl|git\s+clone)\b")
_QUOTED_DOWNLOAD = re.compile(r"""["'](?:wget|curl|git\s+clone|git["']\s*,\s*["']clone)\b""")
# Python calls that download: by function name, and by library and verb.
_DOWNLOAD_CALLS = ("urlopen", "urlretrieve", "download_url_to_file")
_HTTP_LIBRARIES = ("requests", "httpx")
_HTTP_VERBS = ("get", "post", "head", "request", "stream")
_WEB_ADDRESS = re.compile(r"https?://(?!127\.0\.0\.1|localhost)")

_NO_PIP = (
    "pip needs the internet, which is off here. Attach a dataset of wheels and use "
    "--no-index --find-links."
)
_NO_DOWNLOAD = (
    "it downloads from the internet, which is off here. Put the file into a dataset and attach it."
)
_NO_LIBRARY = (
    "cannot install fastkaggle_plus: the internet is off and no dataset is attached. "
    "Make one with `fkp libs`, and name it as libs_dataset."
)
_UNKNOWN = "\0"  # marks a part of a string that is known only at run time
Variables = dict[str, str]  # variable -> the path below the input folder that it contains


def writes_submission(code: Code) -> bool:
    """Say whether any code names the submission file. Only a run can show that it is correct."""
    return any(_SUBMISSION.search(strip_comments(source)) for _, source in code)


def find_undeclared_inputs(
    code: Code, declared: KernelMetadata, comp: Competition
) -> Iterator[Finding]:
    """Yield a finding for each input that a cell reads and that the metadata does not declare."""
    variables: Variables = {}
    for cell, source in code:
        tree = _parse(source)
        reported = set()  # lines
        for line, path in _input_paths(source, tree, variables):
            if line in reported or is_mounted(declared, path.partition("input/")[2]):
                continue
            reported.add(line)
            message = f"it reads {path}, which no source in the metadata mounts. Declared: "
            message += f"{', '.join(declared.inputs) or 'nothing'}. Declare it, or remove the line."
            yield Finding("input", cell, line, message)
        for call in _calls(tree):
            if message := _undeclared_call(call, declared, comp):
                yield Finding("input", cell, call.lineno, message)


def _input_paths(source: str, tree: ast.AST, variables: Variables) -> Iterator[tuple[int, str]]:
    """Yield (line, path) of each path below the input folder."""
    for line, text in (*enumerate(source.splitlines(), 1), *_built_paths(tree, variables)):
        for match in _INPUT.finditer(text):
            yield line, match[0]


def _undeclared_call(call: ast.Call, declared: KernelMetadata, comp: Competition) -> str:
    """Return the problem of a call that reads a competition or dataset, or an empty string."""
    name, handle = _call_name(call), ""
    match call.args:
        case [ast.Constant(value=str(text)), *_]:
            handle = text
    if name == "setup_comp" or name.endswith("competition_download"):
        slug = handle or (comp.slug if name == "setup_comp" else "")
        if slug and slug not in declared.competition_sources:
            return f"it reads the competition {slug!r}, but competition_sources lacks it. Add it."
    if name == "dataset_download" and handle and not has_dataset(declared, handle):
        return f"it reads the dataset {handle!r}, but dataset_sources lacks it. Add it."
    return ""


def find_internet_use(code: Code, declared: KernelMetadata) -> Iterator[Finding]:
    """Yield a finding for each install or download, if the internet is off."""
    if declared.enable_internet:
        return
    has_wheels = bool(declared.dataset_sources)
    for cell, source in code:
        text = strip_comments(source)
        for match in _PIP.finditer(text):
            line = _line_of(text, match.start())
            if "--no-index" not in _whole_command(text, line):
                yield Finding("internet", cell, line, _NO_PIP)
        for line in sorted({*_download_lines(text), *_download_calls(source)}):
            yield Finding("internet", cell, line, _NO_DOWNLOAD)
        if not has_wheels and (found := _IMPORT.search(text)):
            has_wheels = True  # once is enough
            yield Finding("internet", cell, _line_of(text, found.end()), _NO_LIBRARY)


def _line_of(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def _whole_command(text: str, line: int) -> str:
    """Return a shell command with its continuation lines; of Python code return the whole cell."""
    lines = text.split("\n")[line - 1 :]
    if not lines[0].lstrip().startswith(("!", "%")):
        return text
    end = next((n for n, part in enumerate(lines, 1) if not part.rstrip().endswith("\\")), None)
    return "\n".join(lines[:end])


def _download_lines(text: str) -> Iterator[int]:
    """Yield the lines with a download command of a shell."""
    is_shell = is_shell_cell(text)
    for n, line in enumerate(text.split("\n"), 1):
        pattern = _DOWNLOAD if is_shell or _SHELL_LINE.match(line) else _QUOTED_DOWNLOAD
        if pattern.search(line):
            yield n


def _download_calls(source: str) -> Iterator[int]:
    """Yield the lines of calls that read a web address: requests, urllib, pandas."""
    for call in _calls(_parse(source)):
        name = _call_name(call)
        is_download = name in _DOWNLOAD_CALLS or name.startswith("read_")
        match call.func:
            case ast.Attribute(value=ast.Name(id=library)) if library in _HTTP_LIBRARIES:
                is_download = is_download or name in _HTTP_VERBS
        if is_download and call.args and _WEB_ADDRESS.match(_known_text(call.args[0], {})):
            yield call.lineno


def _built_paths(tree: ast.AST, variables: Variables) -> Iterator[tuple[int, str]]:
    """Yield (line, path) of Path(a) / b, os.path.join(a, b) and f-strings, also with variables."""
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                path = _known_text(value, variables)
                if _INPUT_ROOT.match(path):
                    variables[name] = path
    for node in ast.walk(tree):
        if isinstance(node, (ast.BinOp, ast.Call, ast.JoinedStr)):
            yield node.lineno, _known_text(node, variables)


def _known_text(node: ast.AST, variables: Variables) -> str:
    """Return the string or path of an expression, as far as the code shows it without a run."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.Name(id=name):
            return variables.get(name, _UNKNOWN)
        case ast.FormattedValue(value=value):
            return _known_text(value, variables)
        case ast.JoinedStr(values=parts):
            separator = ""
        case ast.BinOp(left=left, op=ast.Add() | ast.Div() as operator, right=right):
            separator, parts = "/" if isinstance(operator, ast.Div) else "", [left, right]
        case ast.Call(func=ast.Attribute(value=folder, attr="joinpath"), args=parts):
            separator, parts = "/", [folder, *parts]
        case ast.Call(args=parts) if _call_name(node) in ("Path", "PurePath", "PosixPath", "join"):
            separator = "/"
        case _:
            return _UNKNOWN
    return separator.join(_known_text(part, variables) for part in parts)


def _parse(source: str) -> ast.AST:
    """Return the syntax tree of a cell; an empty one for a cell that is not Python."""
    try:
        return parse_cell(source)
    except (SyntaxError, ValueError):
        return ast.Module([], [])


def _calls(tree: ast.AST) -> list[ast.Call]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call)]


def _call_name(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
