"""Faults on demand: requests that are refused, delayed, dropped or damaged.

A fault is written KIND[:WHERE][:option=value,...] or HOOK[=seconds][:option=value,...]:

    429:CreateSubmission:nth=2,times=3,retry_after=1,shape=gateway    refuse the 2nd to 4th call
    503:*:path=DatasetApiService,after       process one call, but answer it with 503
    drop-before:upload, drop-after:Create*   close the connection before, or after, processing
    truncate:download:at=1000                end the body early, but announce its full length
    truncate-silently:download               end the body early, and announce the shorter length
    corrupt:download:path=train.csv,no_md5   change one byte
    delay:ListCompetitions:seconds=30,times=always
    expired-upload:nth=2                     end the upload session at its 2nd PUT
    slow-scoring=20  slow-processing=20
    kernel-dies:nth=2,at=5                   kill the 2nd kernel after the 5th line of its log
    kernel-dies=10                           kill each kernel 10 s after its first line
    stale-running=30                         show RUNNING for 30 s after the end, with the output
    false-cancel:nth=3                       show CANCEL_ACKNOWLEDGED for the 3rd complete kernel
    quota-ends                               cancel what runs when the quota is used up

A hook concerns every kernel, submission or upload; with nth=2 only the 2nd from when it was set.
"""

import threading
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

from ..exceptions import ConfigError, UnknownName

REFUSING = ("429", "500", "502", "503", "504")
CHANGING = ("truncate", "truncate-silently", "corrupt")
KINDS = (*REFUSING, *CHANGING, "drop-before", "drop-after", "delay", "expired-upload")
# Hooks do not concern a request: the service that does the work asks for them. Name -> seconds.
HOOKS = {
    "slow-scoring": 1.0,
    "slow-processing": 1.0,
    "kernel-dies": 0.0,
    "stale-running": 5.0,
    "false-cancel": 0.0,
    "quota-ends": 0.0,
}
SHAPES = ("rpc", "gateway", "html")
PLACES = ("download", "upload")  # GET on a signed link, PUT on an upload session
_OPTIONS = ("nth", "times", "retry_after", "shape", "after", "seconds", "at", "no_md5", "path")
_HOOK_OPTIONS = ("nth", "times", "at")
_DEFAULT_PLACE = {**dict.fromkeys(CHANGING, "download"), "expired-upload": "upload"}


@dataclass(frozen=True)
class Fault:
    """One fault: what happens to which requests."""

    spec: str  # as it was written
    kind: str  # of KINDS or HOOKS
    where: str = "*"  # an RPC method, a pattern of them, or one of PLACES
    nth: int = 1  # the first request it happens to, counted from when it was set
    times: int | None = 1  # the number of requests it happens to; None: all following ones
    retry_after: float | None = None  # s, in the header Retry-After
    shape: str = "rpc"  # of the body of a refusal
    after: bool = False  # refuse only after the request was processed
    seconds: float = 1.0  # of delay, or of a hook
    # the byte where the body is cut or changed (default: the middle); kernel-dies: the log's line
    at: int | None = None
    no_md5: bool = False  # leave out the MD5 of a changed body
    path: str = ""  # only for requests whose path contains this
    seen: int = 0  # matching requests so far
    done: int = 0  # times it has happened

    @property
    def is_due(self) -> bool:
        """Whether it happens to the next matching request."""
        return self.seen + 1 >= self.nth and (self.times is None or self.done < self.times)

    def matches(self, method: str, path: str) -> bool:
        """Say whether it can happen to a request with this HTTP method and path."""
        place = path.rsplit("/", 1)[-1]
        if path.startswith("/transfer/"):
            place = "download"
        elif path.startswith("/upload/"):
            place = "upload"
        if (place == "download" and method != "GET") or self.path not in path:
            return False
        return fnmatchcase(place, self.where)


class Faults:
    """The faults of a running sandbox."""

    def __init__(self, specs: Iterable[str] = ()):
        self._methods: Collection[str] = ()
        self._faults = [parse_fault(spec) for spec in specs]
        self._guard = threading.Lock()

    def check_places(self, methods: Collection[str]) -> None:
        """Check all faults, also future ones, against the RPC methods. Raises UnknownName."""
        self._methods = methods
        for fault in self.listed():
            parse_fault(fault.spec, methods=methods)

    def set(self, spec: str) -> Fault:
        """Set a fault, such as 429:CreateSubmission:nth=2. Raises UnknownName or ConfigError."""
        fault = parse_fault(spec, methods=self._methods)
        with self._guard:
            self._faults.append(fault)
        return fault

    def clear(self) -> None:
        """Remove all faults."""
        with self._guard:
            self._faults.clear()

    def listed(self) -> list[Fault]:
        """Return all faults, with the number of times each has happened."""
        with self._guard:
            return list(self._faults)

    def take(self, method: str, path: str) -> Fault | None:
        """Return the fault that happens to this request, and count it."""
        return self._take(lambda f: f.kind not in HOOKS and f.matches(method, path))

    def take_hook(self, hook: str) -> Fault | None:
        """Return the fault of a hook such as kernel-dies if it happens now, and count it."""
        return self._take(lambda f: f.kind == hook)

    def seconds(self, hook: str) -> float:
        """Return how long a hook such as slow-scoring delays this work, and count it; 0: not."""
        fault = self.take_hook(hook)
        return fault.seconds if fault else 0.0

    def _take(self, concerns: Callable[[Fault], bool]) -> Fault | None:
        taken = None
        with self._guard:
            for i, fault in enumerate(self._faults):
                if not concerns(fault):
                    continue
                if not fault.is_due:
                    self._faults[i] = replace(fault, seen=fault.seen + 1)
                elif taken is None:  # another fault that is due waits for the next request
                    taken = fault
                    self._faults[i] = replace(fault, seen=fault.seen + 1, done=fault.done + 1)
        return taken


def parse_fault(
    spec: str,  # KIND[:WHERE][:option=value,...] or HOOK[=seconds][:option=value,...]
    *,
    methods: Collection[str] = (),  # all RPC methods; without them the place is not checked
) -> Fault:
    """Parse a fault. Raises UnknownName for an unknown word, ConfigError for a bad value."""
    kind, *rest = spec.strip().split(":")
    hook, given, seconds = kind.partition("=")
    if len(rest) > (1 if hook in HOOKS else 2):
        raise ConfigError(
            f"The fault {spec!r} has {len(rest) + 1} parts. "
            "It is written KIND[:WHERE][:option=value,...] or HOOK[=seconds][:option=value,...]."
        )
    if hook in HOOKS:
        chosen = _options(spec, "".join(rest), _HOOK_OPTIONS)
        chosen.setdefault("times", 1 if "nth" in chosen else None)
        duration_s = _number(spec, "seconds", seconds) if given else HOOKS[hook]
        return Fault(spec, hook, seconds=duration_s, **chosen)
    if kind not in KINDS:
        hint = (
            "A fault is written KIND[:WHERE][:option=value,...], as in 503:CreateSubmission:nth=2."
        )
        raise UnknownName("fault", kind, [*KINDS, *HOOKS], hint=hint)
    if len(rest) == 1 and ("=" in rest[0] or rest[0] in _OPTIONS):  # options without a place
        rest.insert(0, "")
    where, options = (*rest, "", "")[:2]
    where = where or _DEFAULT_PLACE.get(kind, "*")
    known = {*PLACES, *methods}
    if methods and not any(fnmatchcase(name, where) for name in known):
        hint = "A place is an RPC method, a pattern such as Create*, download or upload."
        raise UnknownName("place of a fault", where, known, hint=hint)
    return Fault(spec, kind, where, **_options(spec, options, _OPTIONS))


def _options(spec: str, text: str, known: Collection[str]) -> dict[str, Any]:
    return dict(_option(spec, part, known) for part in text.split(",") if part)


def _option(spec: str, text: str, known: Collection[str]) -> tuple[str, Any]:
    name, _, value = text.strip().partition("=")
    if name not in known:
        raise UnknownName("option of a fault", name, known)
    if name == "times" and value == "always":
        return name, None
    if name in ("nth", "times", "at"):
        least = 0 if name == "at" else 1
        return name, int(_number(spec, name, value, whole=True, least=least))
    if name in ("retry_after", "seconds"):
        return name, _number(spec, name, value)
    if name in ("after", "no_md5"):
        if value not in ("", "true", "false"):
            raise ConfigError(f"{name} = {value!r} in the fault {spec!r} is not true or false.")
        return name, value != "false"
    if name == "shape" and value not in SHAPES:
        raise UnknownName("shape of a fault", value, SHAPES)
    return name, value


def _number(spec: str, name: str, value: str, *, whole: bool = False, least: int = 0) -> float:
    try:
        number = int(value) if whole else float(value)
        if not least <= number < float("inf"):
            raise ValueError
    except ValueError as e:
        kind = "whole number" if whole else "number"
        raise ConfigError(
            f"{name} = {value!r} in the fault {spec!r} is not a {kind} of at least {least}."
        ) from e
    return number
