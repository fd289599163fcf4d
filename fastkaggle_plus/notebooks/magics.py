"""What is not Python in a code cell: magics, shell lines, help; and the cell's code without its comments."""

from __future__ import annotations

import ast
import io
import re
import tokenize

PYTHON_MAGICS = ("time", "timeit", "capture", "prun")  # cell magics whose body is Python
_SHELLS = ("bash", "sh", "script", "system", "sx", "!")
_LINE_MAGIC = re.compile(r"^(\s*)([%!?]|[\w.]+\?{1,2}\s*$)")
_ASSIGNED_MAGIC = re.compile(r"^(\s*[\w., ]+=\s*)[%!](?!=).*$")
# IPython takes these without their % or !, but only where they are the cell's one line.
_AUTOMAGIC = re.compile(
    r"\s*(?:cat|cd|conda|cp|env|less|load_ext|ls|man|matplotlib|mkdir|more|mv|pip|pwd|reset|rm|rmdir|run|time|timeit|uv|who|whos)"
    r"(?:\s+(?![=(\[]).*)?\s*"
)


def without_magic(source: str) -> str:
    "Return Python of as many lines, in which nothing stands for the magics."
    if len(source.strip().splitlines()) == 1 and _AUTOMAGIC.fullmatch(source):
        return "pass"
    made, goes_on = list[str](), False  # a magic may go on over lines that end in a backslash
    for line in source.splitlines():
        made.append("" if goes_on else _line_without_magic(line))
        goes_on = line.endswith("\\") and (goes_on or made[-1] != line)
    return "\n".join(made)


def uncommented(source: str) -> str:
    "Return the code of a cell, magics and all, without its comments; the lines stay where they are."
    lines = source.splitlines()
    try:
        for token in tokenize.generate_tokens(io.StringIO(without_magic(source)).readline):
            if token.type == tokenize.COMMENT:
                row, column = token.start
                lines[row - 1] = lines[row - 1][:column]
    except (tokenize.TokenError, SyntaxError, IndexError):
        pass  # no Python from here on: it is told elsewhere, or a shell's
    return "\n".join(lines)


def parsed(source: str) -> ast.AST:
    "Return the cell's syntax tree, an empty one where it has none."
    for text in (source, without_magic(source)):
        try:
            return ast.parse(text)
        except (SyntaxError, ValueError):
            continue  # told elsewhere
    return ast.Module([], [])


def is_shell(source: str) -> bool:
    "Say whether the whole cell is for a shell."
    first = source.lstrip("\n").partition("\n")[0]
    return first.startswith("%%") and first[2:].split(" ")[0] in _SHELLS


def _line_without_magic(line: str) -> str:
    if match := _ASSIGNED_MAGIC.match(line):
        return f"{match[1]}None"
    return f"{match[1]}pass" if (match := _LINE_MAGIC.match(line)) else line
