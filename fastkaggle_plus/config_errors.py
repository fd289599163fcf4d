"""Explain errors in a competition's files in one line: file, key or line, value, allowed values."""

import traceback
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from .exceptions import did_you_mean

_REASONS = {
    "tuple_type": "a name or a list of names is needed",
    "too_short": "name at least one",
    "string_too_short": "an empty name; write the name of a column",
}
_EXAMPLES = {"task": "binary", "metric": "accuracy", "id": "PassengerId", "target": "Survived"}


def error_in_one_line(e: Exception, file: Path) -> str:
    """Return an error in one line, with the line of `file` that raised it."""
    if isinstance(e, SyntaxError):
        return f"{type(e).__name__}: {e.msg}, line {e.lineno}"
    frames = traceback.extract_tb(e.__traceback__)
    lines = [frame.lineno for frame in frames if Path(frame.filename) == file]
    return f"{type(e).__name__}: {e}" + (f", line {lines[-1]}" if lines else "")


def explain_error(
    problem: Any,  # one of a ValidationError's errors()
    file: Path,
    model: type[BaseModel],
    sections: dict[str, type[BaseModel]],  # name of a section -> its model
) -> str:
    """Explain a validation error in one line: file, key, value, allowed values."""
    value = problem["input"]
    value = list(value) if isinstance(value, tuple) else value  # as TOML writes it
    *where, key = [str(p) for p in problem["loc"] if not isinstance(p, int)] or [""]
    section = f"[{'.'.join(where)}] " if where else ""
    setting = f"{section}{key} = {'{...}' if isinstance(value, dict) else repr(value)}"
    match problem["type"]:
        case "extra_forbidden":
            allowed_in = sections.get(where[0], model) if where else model
            known = sorted(set(allowed_in.model_fields) - {"slug", "folder"})
            near = get_close_matches(key, known, n=1, cutoff=0.5)
            allowed = f"Allowed: {', '.join(known)}."
            return f"{file}: unknown key {setting}.{did_you_mean(near)} {allowed}"
        case "missing":
            example = f"{key} = {_EXAMPLES.get(key, '...')!r}"
            return f"{file}: the key {section}{key} is missing. Write, for example, {example}."
        case "literal_error":
            expected = problem["ctx"]["expected"]
            names = [n.strip(" '") for n in expected.replace(" or ", ",").split(",")]
            near = get_close_matches(str(value), names, n=1, cutoff=0.5)
            return f"{file}: {setting} is not one of {expected}.{did_you_mean(near)}"
        case "value_error" if not key:
            return f"{file}: {problem['ctx']['error']}."
        case "value_error" if isinstance(value, dict):
            return f"{file}: [{'.'.join([*where, key])}] {problem['ctx']['error']}."
        case "model_type":
            keys = ", ".join(sections[key].model_fields)
            return (
                f"{file}: {setting}, and {key} is a section. Write [{key}] and its keys below it: "
                f"{keys}."
            )
    reason = _REASONS.get(problem["type"], problem["msg"].removeprefix("Value error, "))
    return f"{file}: {setting} ({type(value).__name__}): {reason[:1].lower()}{reason[1:]}."
