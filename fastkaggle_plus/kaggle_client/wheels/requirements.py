"""What pip is asked for: lines of a requirements file, names, wheels."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

from ...exceptions import DatasetFailed
from .wheel import requirement_of, wheels_in


def lines_of(file: Path) -> list[str]:
    "Return what a requirements file asks for, files it includes opened."
    if not file.is_file():
        raise DatasetFailed(f"There is no file {str(file)!r}. Give the path of a requirements.txt.")
    lines = []
    for line in re.sub(r"\\\r?\n", " ", file.read_text(encoding="utf-8")).splitlines():
        line = re.sub(r"(^|\s)#.*", "", line).strip()
        option = re.match(r"(-r|--requirement|-c|--constraint)[\s=]\s*(\S+)", line)
        if option and option[1] in ("-r", "--requirement"):
            lines += lines_of(file.parent / option[2])
        elif option:
            lines.append(f"-c {(file.parent / option[2]).absolute()}")
        elif line:
            lines.append(line)
    if not lines:
        raise DatasetFailed(f"{file} asks for nothing. Write one library a line.")
    return lines


def named(wanted: Iterable[str]) -> list[Requirement]:
    "Return the requirements among pip's arguments. Raises DatasetFailed if there is none."
    found = [r for r in map(requirement, wanted) if r]
    if not found:
        requirement_of(next(iter(wanted), ""))
    return found


def requirement(line: str) -> Requirement | None:
    "Return what a line, or the path of a wheel, asks for; None for an option or an address."
    if line.startswith("-"):
        return None
    line = re.split(r"\s--hash", line)[0].strip()
    if line.endswith(".whl") and Path(line).is_file():
        [wheel] = [w for w in wheels_in(Path(line).parent) if w.path.name == Path(line).name]
        return Requirement(f"{wheel.name}=={wheel.version}")
    try:
        return Requirement(line)
    except InvalidRequirement:
        return None
