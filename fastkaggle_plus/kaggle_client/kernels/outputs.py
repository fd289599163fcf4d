"""What a notebook version wrote, brought here whole: every page, each file verified before it gets its name."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import requests
from filelock import FileLock

from ... import files as placing
from ...exceptions import DownloadCorrupt, KaggleError, NotFound, PermissionDenied
from .. import api, downloads, retry, session
from . import lookup
from . import status as watching
from .lookup import Kernel

if TYPE_CHECKING:
    from kaggle.api.kaggle_api_extended import KaggleApi

    from .push import KernelVersion

NOTE = ".fkp-output.json"


@dataclass(frozen=True)
class KernelOutput:
    "The files of one notebook version."

    handle: str  # owner/name
    version: int | None
    path: str  # the folder
    files: tuple[str, ...]  # in it, the log left out
    log: str  # the log's file in it, "" = there is none


@dataclass
class _Note:
    "What is in the folder by our doing, on disk after every file: a kill costs one file."

    handle: str = ""
    version: int | None = None
    origin: str = ""
    is_whole: bool = False
    log: str = ""
    files: dict[str, list[Any]] = field(default_factory=dict)  # name -> bytes, MD5

    @classmethod
    def read(cls, folder: Path) -> _Note:
        try:
            return cls(**json.loads((folder / NOTE).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return cls()

    def write(self, folder: Path) -> None:
        part = folder / (NOTE + ".part")
        part.write_text(json.dumps(asdict(self), indent=1), encoding="utf-8")
        part.replace(folder / NOTE)

    def holds(self, folder: Path, name: str) -> bool:
        "Say whether `name` is in the folder as we left it."
        size, md5 = self.files.get(name, (-1, ""))
        path = folder / name
        return path.is_file() and path.stat().st_size == size and _md5(path) == md5


def kernel_output(
    handle: str | KernelVersion,  # owner/name, or what push_notebook returned
    dest: str | Path = ".",  # folder
    version: int | None = None,  # None = the current one
    *,
    client: KaggleApi | None = None,
    progress: downloads.Progress
    | None = None,  # called with (bytes so far, bytes in all) of each file
) -> KernelOutput:
    """Bring every file that a notebook version wrote, and its log, into `dest`.

    What is there already and right is left alone, so a call that was cut short goes on where it stopped. A file of that name that is
    not ours is kept as NAME.old; files of another version that we brought before are removed.
    """
    client, dest = client or session.import_kaggle(), Path(dest)
    kernel = watching.pinned(client, lookup.kernel_of(handle, version, client))
    with placing.disk_errors(dest, "another `dest`"):
        dest.mkdir(parents=True, exist_ok=True)
        lock = dest / ".fkp-output.lock"
        with FileLock(lock):
            note = _Note.read(dest)
            same = kernel.version is not None and (note.handle, note.version, note.origin) == (
                kernel.handle,
                kernel.version,
                api.origin(client),
            )
            if not (same and note.is_whole and all(note.holds(dest, name) for name in note.files)):
                note = _fetch_all(client, kernel, dest, note, same, progress)
            lock.unlink(missing_ok=True)
    return KernelOutput(
        kernel.handle,
        kernel.version,
        str(dest),
        tuple(n for n in note.files if n != note.log),
        note.log,
    )


def _fetch_all(
    client: Any,
    kernel: Kernel,
    dest: Path,
    old: _Note,
    same: bool,
    progress: downloads.Progress | None,
) -> _Note:
    status = watching.status_of(client, kernel)
    if not status.is_done:
        raise KaggleError(
            f"{kernel} is {status.status.lower()}: its output is not whole yet. Wait for its end, with "
            f"wait_kernel({kernel.handle!r}, {kernel.version}) or `fkp status {kernel.handle}`, then call again."
        )
    urls, log = _listed(client, kernel)
    sizes = _sizes(client, kernel)
    for name in urls:
        _refuse_outside(name, dest)
    note = _Note(kernel.handle, kernel.version, api.origin(client))
    for name in [n for n in old.files if n not in urls]:
        if old.holds(dest, name):
            (dest / name).unlink()
    work = dest / ".fkp-output.download"
    if not same:
        shutil.rmtree(work, ignore_errors=True)
    work.mkdir(exist_ok=True)
    for name in urls:
        if not (same and old.holds(dest, name)):
            part = work / (hashlib.sha256(name.encode()).hexdigest()[:16] + ".part")
            _fetch(client, kernel, name, part, urls, sizes.get(name), progress)
            _place(part, dest, name, is_ours=old.holds(dest, name))
        note.files[name] = [(dest / name).stat().st_size, _md5(dest / name)]
        note.write(dest)
    if log and (name := f"{kernel.slug}.log") not in urls:
        part = work / "log.part"
        part.write_text(log, encoding="utf-8")
        _place(part, dest, name, is_ours=old.holds(dest, name))
        note.log, note.files[name] = name, [(dest / name).stat().st_size, _md5(dest / name)]
    note.is_whole = True
    note.write(dest)
    shutil.rmtree(work, ignore_errors=True)
    return note


def _listed(client: Any, kernel: Kernel) -> tuple[dict[str, str], str]:
    "Return name -> link of every output file, all pages, and the log."
    from kagglesdk.kernels.types.kernels_api_service import ApiListKernelSessionOutputRequest

    request = lookup.about(ApiListKernelSessionOutputRequest(), kernel)
    urls, log = {}, ""
    for answer in lookup.pages(
        client, "list_kernel_session_output", request, kernel=kernel, doing="read the output of"
    ):
        log = log or answer.log or ""
        urls.update({f.file_name: f.url for f in answer.files or [] if f.file_name})
    return urls, log


def _sizes(client: Any, kernel: Kernel) -> dict[str, int]:
    "Return name -> bytes as Kaggle lists them."
    from kagglesdk.kernels.types.kernels_api_service import ApiListKernelFilesRequest

    request = lookup.about(ApiListKernelFilesRequest(), kernel)
    try:
        answers = list(
            lookup.pages(
                client, "list_kernel_files", request, kernel=kernel, doing="list the files of"
            )
        )
    except (NotFound, PermissionDenied):
        return {}  # the sizes are a second check: the links tell their own
    return {f.name: f.size for answer in answers for f in answer.files or []}


def _fetch(
    client: Any,
    kernel: Kernel,
    name: str,
    part: Path,
    urls: dict[str, str],
    size: int | None,
    progress: downloads.Progress | None,
    tries: int = 3,
) -> None:
    "Complete `part`; try again if its bytes are wrong."
    sources: list[downloads.Source] = []

    def once() -> None:
        with (
            api.transfers(client) as transfers,
            lookup.explained(client, kernel=kernel, doing=f"download {name} of"),
        ):
            downloads.fetch(
                _asking(client, kernel, name, urls, transfers, sources),
                part,
                transfers,
                stalls=getattr(client, "tries", 7),
                progress=progress,
            )
        # A file with the right MD5 is right, whatever a list says.
        if not sources[-1].md5 and size is not None and part.stat().st_size != size:
            raise DownloadCorrupt(
                f"It came with {part.stat().st_size} bytes, and Kaggle lists {size}."
            )

    downloads.until_sound(
        once,
        part,
        what=f"{name!r} of {kernel}",
        then="call again later: nothing was written under its name, what came before is kept",
        tries=tries,
    )


def _asking(
    client: Any,
    kernel: Kernel,
    name: str,
    urls: dict[str, str],
    transfers: requests.Session,
    told: list[downloads.Source],
) -> Callable[[], downloads.Source]:
    "Return what finds out where the bytes are, and adds it to `told`; a link that has expired is replaced by a new one."

    def once() -> downloads.Source:
        # Not HEAD: a signed link may allow GET alone.
        with transfers.get(
            urls[name], headers={"Accept-Encoding": "identity"}, stream=True
        ) as answer:
            answer.raise_for_status()
            told.append(downloads.source_of(answer))
            return told[-1]

    def ask() -> downloads.Source:
        for is_fresh in (False, True):
            try:
                return retry.read(
                    once,
                    tries=getattr(client, "tries", 7),
                    deadline_s=getattr(client, "deadline_s", 300.0),
                )
            except requests.HTTPError as e:
                if is_fresh or retry.status_of(e) not in (400, 401, 403, 404, 410):
                    raise
                new, _ = _listed(client, kernel)
                if name not in new:
                    raise
                urls.update(new)
        raise AssertionError("unreachable")

    return ask


def _place(part: Path, dest: Path, name: str, *, is_ours: bool) -> None:
    "Give a whole file its name in one step; what was there and is not ours is kept."
    target = dest / name
    target.parent.mkdir(parents=True, exist_ok=True)
    _refuse_outside(name, dest)  # once more: a folder on the way may be a link
    if target.is_dir() or (target.exists() and not is_ours and _md5(target) != _md5(part)):
        placing.make_room(target)
    part.replace(target)
    downloads.forget(part)


def _refuse_outside(name: str, dest: Path) -> None:
    path = PurePosixPath(name.replace("\\", "/"))
    is_odd = (
        path.is_absolute()
        or ".." in path.parts
        or re.match(r"[A-Za-z]:", name)
        or "\0" in name
        or not path.parts
        or path.parts[0].startswith(".fkp-")
    )
    if is_odd or not (dest / name).parent.resolve().is_relative_to(dest.resolve()):
        raise KaggleError(
            f"The output has a file that would leave {str(dest)!r}, or take the place of our notes there: {name!r}. Nothing of it "
            "was written; look at the notebook before you trust it."
        )


def _md5(path: Path) -> str:
    with open(path, "rb") as f:
        return hashlib.file_digest(f, "md5").hexdigest()
