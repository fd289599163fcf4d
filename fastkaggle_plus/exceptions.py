"""The error tree. Every message says what was wrong, what came, and what to do next.

FastkaggleError
├── ConfigError            a competition.toml, bundle or trial that does not read   (ValueError)
├── UnknownName            a name that is not known here, with near matches         (ValueError)
├── MissingExtra           an optional package is absent; prints its install line   (ImportError)
├── DataError              rows or columns that cannot be what they should be       (ValueError)
│   └── UnreadableImage        a file that does not decode as an image
├── SubmissionError        a csv that breaks the submission contract                (ValueError)
├── SelectionError         dropping ensemble members on their own score             (ValueError)
├── NotebookError          a notebook that breaks a rule of the check                (ValueError)
├── SecretFound            a key or token would leave this machine                  (ValueError)
├── WeightsMissing         pretrained weights that are not here and cannot be had   (OSError)
├── SandboxError           the local twin could not start, or would not be local
└── KaggleError            anything the service, or the way to it, refused
    ├── NoCredentials          no key or token was found
    ├── BadCredentials         a key or token was found and refused                 (401)
    ├── RulesNotAccepted       the competition's rules are not accepted             (403)
    ├── PermissionDenied       phone not verified, private, or not your team        (403)
    ├── NotFound               no such competition, file or submission              (403, 404)
    ├── DailyLimitReached      no submissions left today                            (400)
    ├── DeadlinePassed         the competition takes no more submissions            (400)
    ├── RateLimited            too many requests                                    (429)
    ├── KaggleUnavailable      5xx, timeout, connection lost, after all retries
    ├── DownloadCorrupt        bytes that do not match their size, MD5 or CRC
    ├── UploadFailed           the file did not arrive
    ├── SubmissionFailed       Kaggle took the file and scored it as an error
    ├── NameTaken              a dataset or notebook of that name is there already
    ├── DatasetFailed          a dataset version was not made, or its processing failed
    ├── PushRefused            a notebook version was not made, or lacks one of its inputs
    ├── QuotaReached           no accelerator session or hour left
    └── KernelFailed           a pushed notebook ended in an error

GroupsOverlap          a warning: a split that tears groups apart, and so flatters   (UserWarning)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches

_MOST_LISTED = 60  # a longer list hides what was wrong


class FastkaggleError(Exception):
    """Base of every error this package raises on purpose."""


class ConfigError(FastkaggleError, ValueError):
    """A competition.toml, bundle or trial that does not read."""


class UnknownName(FastkaggleError, ValueError):
    """A name that is not known here."""

    def __init__(self, what: str, name: object, known: Iterable[str], hint: str = ""):
        known = sorted(set(known))
        near = get_close_matches(str(name).lower(), known, n=3, cutoff=0.5)
        guess = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
        listing = (
            f" Known: {', '.join(known) or 'none'}."
            if len(known) <= _MOST_LISTED
            else f" {len(known)} are known."
        )
        super().__init__(f"Unknown {what} {name!r}.{guess}{listing}{' ' + hint if hint else ''}")
        self.name, self.known, self.near = name, known, near


class MissingExtra(FastkaggleError, ImportError):
    """An optional package is absent."""

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
    """Rows or columns that cannot be what they should be."""


class UnreadableImage(DataError):
    """A file that does not decode as an image."""

    def __init__(self, file: object, why: str):
        super().__init__(
            f"{file} is no readable image: {why}. `check_images` names every such file of a folder, and moves them away if asked."
        )
        self.file, self.why = str(file), why


class GroupsOverlap(UserWarning):
    """A warning, no error: rows that belong together stand on both sides of a split, so its scores flatter."""


class SubmissionError(FastkaggleError, ValueError):
    """A csv that breaks the submission contract."""


class SelectionError(FastkaggleError, ValueError):
    """Ensemble members would be dropped on their own score."""


class NotebookError(FastkaggleError, ValueError):
    """A notebook that breaks a rule of the check."""


class SecretFound(FastkaggleError, ValueError):
    """A key or token would leave this machine."""


class WeightsMissing(FastkaggleError, OSError):
    """Pretrained weights that are not on this machine and cannot be downloaded."""


class SandboxError(FastkaggleError):
    """The local twin could not start, or would not be local."""


class KaggleError(FastkaggleError):
    """Anything the service, or the way to it, refused."""

    def __init__(self, message: str, *, status: int | None = None, said: str = ""):
        super().__init__(message)
        self.status = status  # HTTP status, where there was one
        self.said = said  # the service's own words


class NoCredentials(KaggleError):
    """No key or token was found."""


class BadCredentials(KaggleError):
    """A key or token was found and refused."""


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
    """Bytes that do not match their size, MD5 or CRC."""


class UploadFailed(KaggleError):
    """The file did not arrive."""


class SubmissionFailed(KaggleError):
    """Kaggle took the file and scored it as an error."""


class NameTaken(KaggleError):
    """A dataset or notebook of that name is there already."""


class DatasetFailed(KaggleError):
    """A dataset version was not made, or its processing failed."""


class PushRefused(KaggleError):
    """A notebook version was not made, or lacks one of its inputs."""


class QuotaReached(KaggleError):
    """No accelerator session or hour left."""


class KernelFailed(KaggleError):
    """A pushed notebook ended in an error."""

    def __init__(
        self, message: str, *, said: str = "", what: str = "", log_end: str = "", log: str = ""
    ):
        super().__init__(message, said=said)
        self.what = what or message  # the one sentence on what failed
        self.log_end = log_end  # the last lines of its log
        self.log = log  # the whole log's file on this machine, where it was fetched
