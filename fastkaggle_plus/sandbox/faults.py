"""Faults on demand: answers lost, late, cut or refused, as the real service has them on a bad day.

A fault is written KIND[:WHERE][:option=value,...] or HOOK[=seconds]:

    429:CreateSubmission:nth=2,times=3,retry_after=1,shape=gateway    the 2nd to 4th call is refused
    503:*:path=DatasetApiService,after       one call is processed, and answered with 503 all the same
    drop-before:upload, drop-after:Create*   the connection is closed before, or after, the request was processed
    truncate:download:at=1000                the body ends early, its full length announced; truncate-silently: the length is right
    corrupt:download:path=train.csv,no_md5   one byte is another
    delay:ListCompetitions:seconds=30,times=always
    expired-upload:nth=2                     the session is gone at its 2nd PUT
    slow-scoring=20  slow-processing=20  kernel-dies
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

from ..exceptions import ConfigError, UnknownName

REFUSING = ("429", "500", "502", "503", "504")
CHANGING = ("truncate", "truncate-silently", "corrupt")
KINDS = (*REFUSING, *CHANGING, "drop-before", "drop-after", "delay", "expired-upload")
HOOKS = (
    "slow-scoring",
    "slow-processing",
    "kernel-dies",
)  # not of a request: asked by the service that does the work
SHAPES = ("rpc", "gateway", "html")
PLACES = ("download", "upload")  # GET on a signed link, PUT on an upload session
_OPTIONS = ("nth", "times", "retry_after", "shape", "after", "seconds", "at", "no_md5", "path")
_DEFAULT_PLACE = {**dict.fromkeys(CHANGING, "download"), "expired-upload": "upload"}


@dataclass(frozen=True)
class Fault:
    "One fault: what happens to which requests."

    spec: str  # as it was written
    kind: str  # of KINDS or HOOKS
    where: str = "*"  # an RPC method, a pattern of them, or one of PLACES
    nth: int = 1  # the first request it happens to, counted from when it was set
    times: int | None = 1  # to how many requests; None: to all from then on
    retry_after: float | None = None  # s, in the header Retry-After
    shape: str = "rpc"  # of the body of a refusal
    after: bool = False  # refuse only after the request was processed
    seconds: float = 1.0  # of delay, or of a slow hook
    at: int | None = None  # byte where it is cut or corrupted; default: the middle
    no_md5: bool = False  # a changed body comes without its MD5
    path: str = ""  # only requests whose path contains this
    seen: int = 0  # matching requests so far
    done: int = 0  # times it happened

    @property
    def is_due(self) -> bool:
        "Say whether it happens to the next matching request."
        return self.seen + 1 >= self.nth and (self.times is None or self.done < self.times)

    def matches(self, method: str, path: str) -> bool:
        "Say whether a request, by HTTP method and path, is one it can happen to."
        place = (
            "download"
            if path.startswith("/transfer/")
            else "upload"
            if path.startswith("/upload/")
            else path.rsplit("/", 1)[-1]
        )
        if (place == "download" and method != "GET") or self.path not in path:
            return False
        return fnmatchcase(place, self.where)


class Faults:
    "The faults that are set in a running sandbox."

    def __init__(self, specs: Iterable[str] = ()):
        self._methods: Collection[str] = ()
        self._set = [parse_fault(spec) for spec in specs]
        self._guard = threading.Lock()

    def know(self, methods: Collection[str]) -> None:
        "Take notice of the RPC methods there are, and check the places of the faults that are set. Raises UnknownName."
        self._methods = methods
        for fault in self.listed():
            parse_fault(fault.spec, methods=methods)

    def set(self, spec: str) -> Fault:
        "Set a fault, such as 429:CreateSubmission:nth=2,times=3,retry_after=1. Raises UnknownName or ConfigError."
        fault = parse_fault(spec, methods=self._methods)
        with self._guard:
            self._set.append(fault)
        return fault

    def clear(self) -> None:
        "Take all faults away."
        with self._guard:
            self._set.clear()

    def listed(self) -> list[Fault]:
        "Return the faults that are set, with how often they happened."
        with self._guard:
            return list(self._set)

    def take(self, method: str, path: str) -> Fault | None:
        "Return the fault that happens to this request, and count it."
        taken = None
        with self._guard:
            for i, fault in enumerate(self._set):
                if fault.kind in HOOKS or not fault.matches(method, path):
                    continue
                if fault.is_due and taken is None:
                    taken = fault
                    self._set[i] = replace(fault, seen=fault.seen + 1, done=fault.done + 1)
                elif (
                    not fault.is_due
                ):  # one that is due waits for a request that nothing else happens to
                    self._set[i] = replace(fault, seen=fault.seen + 1)
        return taken

    def wants(self, hook: str) -> bool:
        "Say whether a hook is set: kernel-dies."
        return any(f.kind == hook for f in self.listed())

    def seconds(self, hook: str) -> float:
        "Return how long a hook makes its work take: slow-scoring, slow-processing; 0 when it is not set."
        return max((f.seconds for f in self.listed() if f.kind == hook), default=0.0)


def parse_fault(
    spec: str,  # KIND[:WHERE][:option=value,...] or HOOK[=seconds]
    *,
    methods: Collection[str] = (),  # RPC methods there are; none: a place is not checked
) -> Fault:
    "Read a fault. Raises UnknownName for a kind, place or option there is not, ConfigError for a value that does not fit."
    kind, *rest = spec.strip().split(":")
    hook, given, seconds = kind.partition("=")
    if hook in HOOKS and not rest:
        return Fault(spec, hook, seconds=_number(spec, "seconds", seconds) if given else 1.0)
    if kind not in KINDS:
        raise UnknownName(
            "fault",
            kind,
            [*KINDS, *HOOKS],
            hint="A fault is written KIND[:WHERE][:option=value,...], as in 503:CreateSubmission:nth=2.",
        )
    if len(rest) > 2:
        raise ConfigError(
            f"The fault {spec!r} has {len(rest) + 1} parts. It is written KIND[:WHERE][:option=value,...]."
        )
    if len(rest) == 1 and ("=" in rest[0] or rest[0] in _OPTIONS):  # options, and no place
        rest.insert(0, "")
    where = (rest[0] if rest else "") or _DEFAULT_PLACE.get(kind, "*")
    known = {*PLACES, *methods}
    if methods and not any(fnmatchcase(name, where) for name in known):
        raise UnknownName(
            "place of a fault",
            where,
            known,
            hint="A place is an RPC method, a pattern of them such as Create*, download or upload.",
        )
    return Fault(spec, kind, where, **_options(spec, rest[1] if len(rest) > 1 else ""))


def _options(spec: str, text: str) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for part in filter(None, text.split(",")):
        name, _, value = part.strip().partition("=")
        if name not in _OPTIONS:
            raise UnknownName("option of a fault", name, _OPTIONS)
        if name in ("nth", "times", "at"):
            is_always = name == "times" and value == "always"
            options[name] = (
                None
                if is_always
                else int(_number(spec, name, value, whole=True, least=0 if name == "at" else 1))
            )
        elif name in ("retry_after", "seconds"):
            options[name] = _number(spec, name, value)
        elif name in ("after", "no_md5"):
            if value not in ("", "true", "false"):
                raise ConfigError(
                    f"{name} = {value!r} in the fault {spec!r} is neither true nor false."
                )
            options[name] = value != "false"
        elif name == "shape" and value not in SHAPES:
            raise UnknownName("shape of a fault", value, SHAPES)
        else:
            options[name] = value
    return options


def _number(spec: str, name: str, value: str, *, whole: bool = False, least: int = 0) -> float:
    try:
        number = int(value) if whole else float(value)
        if not least <= number < float("inf"):
            raise ValueError
    except ValueError as e:
        raise ConfigError(
            f"{name} = {value!r} in the fault {spec!r} is not a {'whole number' if whole else 'number'} of at least {least}."
        ) from e
    return number
