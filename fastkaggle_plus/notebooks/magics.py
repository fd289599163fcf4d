"""Parse code cells that contain magics, shell lines or help, and strip their comments."""

import ast
import io
import re
import tokenize

PYTHON_MAGICS = ("time", "timeit", "capture", "prun")  # cell magics whose body is Python
_SHELLS = ("bash", "sh", "script", "system", "sx", "!")
_LINE_MAGIC = re.compile(r"^(\s*)([%!?]|[\w.]+\?{1,2}\s*$)")
_ASSIGNED_MAGIC = re.compile(r"^(\s*[\w., ]+=\s*)[%!](?!=).*$")
# IPython accepts these without % or !, but only if they are the only line of the cell.
_AUTOMAGIC = re.compile(
    r"\s*(?:cat|cd|conda|cp|env|less|load_ext|ls|man|matplotlib|mkdir|more|mv|pip|pwd|reset|rm"
    r"|rmdir|run|time|timeit|uv|who|whos)(?:\s+(?![=(\[]).*)?\s*"
)


def parse_cell(source: str) -> ast.AST:
    """Return the syntax tree of a cell, without its magics. Raises SyntaxError, ValueError."""
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT | ast.PyCF_ONLY_AST
    try:  # as it is first: a line of a string may look like a magic
        return compile(source + "\n", "cell", "exec", flags=flags)
    except (SyntaxError, ValueError):
        return compile(replace_magics(source) + "\n", "cell", "exec", flags=flags)


def replace_magics(source: str) -> str:
    """Return the cell with `pass` or None in place of magics; line numbers stay the same."""
    if len(source.strip().splitlines()) == 1 and _AUTOMAGIC.fullmatch(source):
        return "pass"
    lines: list[str] = []
    in_magic = False  # a line that ends in a backslash continues the magic
    for line in source.splitlines():
        lines.append("" if in_magic else _replace_magic(line))
        in_magic = line.endswith("\\") and (in_magic or lines[-1] != line)
    return "\n".join(lines)


def strip_comments(source: str) -> str:
    """Return the cell, magics included, without comments; line numbers stay the same."""
    lines = source.splitlines()
    try:
        for token in tokenize.generate_tokens(io.StringIO(replace_magics(source)).readline):
            if token.type == tokenize.COMMENT:
                row, column = token.start
                lines[row - 1] = lines[row - 1][:column]
    except (tokenize.TokenError, SyntaxError, IndexError):
        pass  # not Python from here on: a shell cell, or a syntax error that check_cells reports
    return "\n".join(lines)


def is_shell_cell(source: str) -> bool:
    """Say whether the whole cell is a shell script."""
    first = source.lstrip("\n").partition("\n")[0]
    return first.startswith("%%") and first[2:].split(" ")[0] in _SHELLS


def _replace_magic(line: str) -> str:
    if match := _ASSIGNED_MAGIC.match(line):
        return f"{match[1]}None"
    if match := _LINE_MAGIC.match(line):
        return f"{match[1]}pass"
    return line
