"""Check a single cell: secrets, outputs, paths of this machine, and syntax."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..secrets import find_secrets
from .finding import Finding
from .magics import PYTHON_MAGICS, parse_cell

# First folders of absolute paths that do not exist on Kaggle. Prose is checked only for the
# personal ones: a path in prose breaks nothing, but may show a user's name.
_PERSONAL = "home|Users|root"
_FOLDERS = f"{_PERSONAL}|data|mnt|media|content|Volumes|workspace|workspaces|srv|scratch"
_REST = r"""[^\s"')\]]*"""
_HOME = re.compile(rf"""(?:^|(?<=[\s"'=(,]))~/{_REST}|\bPath\.home\(\)|\bexpanduser\(""")


def _absolute_path(folders: str) -> re.Pattern[str]:
    """Compile a pattern for paths below these folders, and for Windows paths."""
    start = r"""(?:^|(?<=[\s"'=(,:\[]))(?:file://)?"""
    unix = rf"""/(?:{folders})(?=[/"'\s)\]]|$){_REST}"""
    windows = rf"""[A-Za-z]:(?:\\{{1,2}}|/)(?![/\s]){_REST}"""
    return re.compile(f"{start}(?:{unix}|{windows})")


_PATH_IN_CODE, _PATH_IN_PROSE = _absolute_path(_FOLDERS), _absolute_path(_PERSONAL)


def check_cell(
    number: int, cell: Mapping[str, Any], known_secrets: tuple[str, ...]
) -> Iterator[Finding]:
    """Yield the findings of one cell."""
    source, is_code = cell["source"], cell["cell_type"] == "code"
    for secret in find_secrets(source, known=known_secrets):
        message = f"this looks like a secret: {secret.kind}, {secret.shown}. Remove it and replace"
        message += " the key with a new one. On Kaggle use Add-ons > Secrets."
        yield Finding("secret", number, secret.line, message)
    for n, line in enumerate(source.splitlines(), 1):
        if path := _local_path(line, is_code=is_code):
            message = f"{path} is a path of this machine; it does not exist on Kaggle."
            message += " Use setup_comp, or a path below the working folder."
            yield Finding("path", number, n, message)
    if cell.get("attachments"):
        message = "it has pasted images, which may show private data. Remove them."
        yield Finding("output", number, 0, message)
    if not is_code:
        return
    if cell.get("outputs") or cell.get("execution_count") is not None:
        message = "it has outputs, which may show private data. Clear them."
        yield Finding("output", number, 0, message)
    if error := _syntax_error(source):
        line, message = error
        yield Finding("syntax", number, line, f"{message}. Correct the cell in the template.")


def _local_path(line: str, *, is_code: bool) -> str:
    """Return the first absolute path of this machine in a line, or an empty string."""
    for folder in (Path.cwd(), Path.home()):
        path = str(folder)
        if len(folder.parts) > 2 and not path.startswith("/kaggle") and path in line:
            return re.split(r"""["'\s]""", line[line.index(path) :])[0]
    if is_code:
        match = _PATH_IN_CODE.search(line) or _HOME.search(line)
    else:
        match = _PATH_IN_PROSE.search(line)
    return match[0] if match else ""


def _syntax_error(source: str) -> tuple[int, str] | None:
    """Return the line and message of a cell's first syntax error, or None. Magics are allowed."""
    first, _, body = source.lstrip("\n").partition("\n")
    magic, _, written = first[2:].partition(" ") if first.startswith("%%") else ("", "", "")
    is_written = magic == "writefile"
    try:
        if not first.startswith("%%"):
            parse_cell(source)
        elif is_written and written.strip().endswith(".toml"):
            tomllib.loads(body)
        elif magic in PYTHON_MAGICS or (is_written and written.strip().endswith(".py")):
            parse_cell(body)
    except SyntaxError as e:
        return (e.lineno or 1) + bool(magic), f"{type(e).__name__}: {e.msg}"
    except tomllib.TOMLDecodeError as e:
        line = re.search(r"line (\d+)", str(e))
        return int(line[1] if line else 1) + 1, f"the file that it writes is not valid TOML: {e}"
    except ValueError as e:  # a null byte
        return 1 + bool(magic), str(e)
    return None
