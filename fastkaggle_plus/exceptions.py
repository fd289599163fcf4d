"""The error tree. Every message says what failed, what was expected, and what to do.

FastkaggleError
├── ConfigError            a competition.toml, bundle or trial is not valid         (ValueError)
├── UnknownName            a name is not known; lists near matches                  (ValueError)
├── MissingExtra           an optional package is missing; shows its install line   (ImportError)
├── DataError              rows or columns are not as expected                      (ValueError)
│   └── UnreadableImage        a file cannot be decoded as an image
├── SubmissionError        a submission csv is not valid                            (ValueError)
├── SelectionError         ensemble members would be dropped by their own score     (ValueError)
├── NotebookError          a notebook breaks a rule of the check                    (ValueError)
├── SecretFound            a key or token would leave this machine                  (ValueError)
├── WeightsMissing         pretrained weights are not here and cannot be downloaded (OSError)
├── NothingSent            a write was planned, and not confirmed
├── SandboxError           the sandbox could not start, or would not be local
└── KaggleError            Kaggle refused a request, or could not be reached
    ├── NoCredentials          no key or token was found
    ├── BadCredentials         the key or token was refused                         (401)
    ├── RulesNotAccepted       the competition's rules are not accepted             (403)
    ├── PermissionDenied       phone not verified, private, or not your team        (403)
    ├── NotFound               no such competition, file or submission              (403, 404)
    ├── DailyLimitReached      no submissions left today                            (400)
    ├── DeadlinePassed         the competition takes no more submissions            (400)
    ├── RateLimited            too many requests                                    (429)
    ├── KaggleUnavailable      5xx, timeout, connection lost, after all retries
    ├── DownloadCorrupt        a download does not match its size, MD5 or CRC
    ├── UploadFailed           an upload did not finish
    ├── SubmissionFailed       Kaggle accepted the file and could not score it
    ├── NameTaken              a dataset or notebook with that name exists already
    ├── DatasetFailed          a dataset version was not created, or not processed
    ├── PushRefused            a notebook version was not created, or lacks an input
    ├── QuotaReached           no accelerator session or hour left
    └── KernelFailed           a pushed notebook ended with an error

GroupsOverlap          a warning: a split puts one group into train and validation   (UserWarning)
"""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import BaseModel

_REASONS = {
    "tuple_type": "a name or a list of names is needed",
    "too_short": "name at least one",
    "string_too_short": "an empty name; write the name of a column",
}
_EXAMPLES = {"task": "binary", "metric": "accuracy", "id": "PassengerId", "target": "Survived"}
_MOST_LISTED = 60  # a longer list would hide the error


def listed(names: Iterable[object], most: int = 12) -> str:
    """Return names for a message: "a, b and 3 more", or "none"."""
    names = list(names)
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return (", ".join(map(str, names[:most])) or "none") + more


def did_you_mean(near: Sequence[str]) -> str:
    """Return a question for the names that are close to a wrong one; empty without any."""
    return f" Did you mean {' or '.join(map(repr, near))}?" if near else ""


def last_line(error: str) -> str:
    """Return the last line of a traceback: the error itself."""
    return error.strip().splitlines()[-1] if error.strip() else ""


class FastkaggleError(Exception):
    """Base of every error this package raises on purpose."""


class ConfigError(FastkaggleError, ValueError):
    """A competition.toml, bundle or trial is not valid."""


class UnknownName(FastkaggleError, ValueError):
    """A name is not known."""

    def __init__(self, what: str, name: object, known: Iterable[str], hint: str = ""):
        known = sorted(set(known))
        near = get_close_matches(str(name).lower(), known, n=3, cutoff=0.65)
        listing = f" {len(known)} are known."
        if len(known) <= _MOST_LISTED:
            listing = f" Known: {', '.join(known) or 'none'}."
        hint = f" {hint}" if hint else ""
        super().__init__(f"Unknown {what} {name!r}.{did_you_mean(near)}{listing}{hint}")
        self.name, self.known, self.near = name, known, near


class MissingExtra(FastkaggleError, ImportError):
    """An optional package is missing."""

    def __init__(self, package: str, extra: str):
        super().__init__(
            f"{package} is not installed. Install it with: pip install 'fastkaggle_plus[{extra}]'"
        )
        self.package, self.extra = package, extra


@contextmanager
def needs_extra(extra: str) -> Iterator[None]:
    """Import optional packages inside this block.

    Raises MissingExtra with the install line where one of them is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as e:
        package = (e.name or extra).split(".")[0]
        if package == "fastkaggle_plus":
            raise
        raise MissingExtra(package, extra) from e


class DataError(FastkaggleError, ValueError):
    """Rows or columns are not as expected."""


class UnreadableImage(DataError):
    """A file cannot be decoded as an image."""

    def __init__(self, file: object, why: str):
        super().__init__(
            f"{file} is no readable image: {why}. `check_images` lists such files of a folder, "
            "and moves them to another folder with move_to=."
        )
        self.file, self.why = str(file), why


class GroupsOverlap(UserWarning):
    """A split puts rows of one group into train and validation, so scores are too good."""


class SubmissionError(FastkaggleError, ValueError):
    """A submission csv is not valid."""


class SelectionError(FastkaggleError, ValueError):
    """Ensemble members would be dropped by their own score."""


class NotebookError(FastkaggleError, ValueError):
    """A notebook breaks a rule of the check."""


class SecretFound(FastkaggleError, ValueError):
    """A key or token would leave this machine."""


class WeightsMissing(FastkaggleError, OSError):
    """Pretrained weights are not on this machine and cannot be downloaded."""


class NothingSent(FastkaggleError):
    """A write to Kaggle was planned, and not confirmed."""


class SandboxError(FastkaggleError):
    """The sandbox could not start, or would not be local."""


class KaggleError(FastkaggleError):
    """Kaggle refused a request, or could not be reached."""

    def __init__(self, message: str, *, status: int | None = None, said: str = ""):
        super().__init__(message)
        self.status = status  # HTTP status, if there was a response
        self.said = said  # the message of the service


class NoCredentials(KaggleError):
    """No key or token was found."""


class BadCredentials(KaggleError):
    """The key or token was refused."""


class RulesNotAccepted(KaggleError):
    """The competition's rules are not accepted."""


class PermissionDenied(KaggleError):
    """Phone not verified, private, or not your team."""


class NotFound(KaggleError):
    """No such competition, file or submission."""


class DailyLimitReached(KaggleError):
    """No submissions left today."""


class DeadlinePassed(KaggleError):
    """The competition takes no more submissions."""


class RateLimited(KaggleError):
    """Too many requests."""


class KaggleUnavailable(KaggleError):
    """5xx, timeout or lost connection, after all retries."""


class DownloadCorrupt(KaggleError):
    """A download does not match its size, MD5 or CRC."""


class UploadFailed(KaggleError):
    """An upload did not finish."""


class SubmissionFailed(KaggleError):
    """Kaggle accepted the file and could not score it."""


class NameTaken(KaggleError):
    """A dataset or notebook with that name exists already."""


class DatasetFailed(KaggleError):
    """A dataset version was not created, or not processed."""


class PushRefused(KaggleError):
    """A notebook version was not created, or lacks one of its inputs."""


class QuotaReached(KaggleError):
    """No accelerator session or hour left."""


class KernelFailed(KaggleError):
    """A pushed notebook ended with an error."""

    def __init__(
        self, message: str, *, said: str = "", what: str = "", log_end: str = "", log: str = ""
    ):
        super().__init__(message, said=said)
        self.what = what or message  # what failed, in one sentence
        self.log_end = log_end  # the last lines of its log
        self.log = log  # path of the downloaded log, if any


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
