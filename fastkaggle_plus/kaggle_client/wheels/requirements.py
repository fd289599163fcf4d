"""Parse pip's arguments: lines of a requirements file, library names, paths of wheels."""

import re
from collections.abc import Sequence
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

from ...exceptions import DatasetFailed
from .wheel import read_wheel


def requirement_lines(file: Path) -> list[str]:
    """Return the lines of a requirements file and of the files it includes."""
    if not file.is_file():
        raise DatasetFailed(f"There is no file {str(file)!r}. Give the path of a requirements.txt.")
    lines = []
    for line in re.sub(r"\\\r?\n", " ", file.read_text(encoding="utf-8")).splitlines():
        line = re.sub(r"(^|\s)#.*", "", line).strip()
        option = re.match(r"(-r|--requirement|-c|--constraint)[\s=]\s*(\S+)", line)
        if option and option[1] in ("-r", "--requirement"):
            lines += requirement_lines(file.parent / option[2])
        elif option:
            lines.append(f"-c {(file.parent / option[2]).absolute()}")
        elif line:
            lines.append(line)
    if not lines:
        raise DatasetFailed(f"{file} names no library. Write one library per line.")
    return lines


def parse_requirements(wanted: Sequence[str]) -> list[Requirement]:
    """Return the requirements among pip's arguments. Raises DatasetFailed if there is none."""
    found = [requirement for line in wanted if (requirement := parse_requirement(line))]
    if not found:
        raise DatasetFailed(
            f"{' '.join(wanted)!r} is not a library. Write a name, with a version if you like: "
            "'fastcore==1.8.1'."
        )
    return found


def parse_requirement(line: str) -> Requirement | None:
    """Return the requirement of a line or of a wheel's path; None for an option or a URL."""
    if line.startswith("-"):
        return None
    line = re.split(r"\s--hash", line)[0].strip()
    wheel = read_wheel(Path(line)) if Path(line).is_file() else None
    try:
        return Requirement(f"{wheel.name}=={wheel.version}" if wheel else line)
    except InvalidRequirement:
        return None
