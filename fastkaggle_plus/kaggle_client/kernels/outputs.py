"""Download the output of a notebook version: all pages, each file verified before it is named."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import requests
from filelock import FileLock

from ... import files
from ...exceptions import DownloadCorrupt, KaggleError, NotFound, PermissionDenied
from .. import api, downloads, http, live_writes, session
from ..api import KaggleApi
from ..unzip import leaves_folder
from . import lookup
from .kernel import Kernel, KernelVersion, kernel_of

_RECORD = ".fkp-output.json"


@dataclass(frozen=True)
class KernelOutput:
    """The files of one notebook version."""

    handle: str  # owner/name
    version: int | None
    path: str  # the folder
    files: tuple[str, ...]  # in it, without the log
    log: str  # the log's file in it, "" = there is none


@dataclass
class _Record:
    """The files we wrote into the folder; saved after every file, so that a kill costs one file."""

    handle: str = ""
    version: int | None = None
    origin: str = ""
    is_whole: bool = False
    log: str = ""
    files: dict[str, list[Any]] = field(default_factory=dict)  # name -> bytes, MD5

    @classmethod
    def read(cls, folder: Path) -> _Record:
        try:
            return cls(**json.loads((folder / _RECORD).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return cls()

    def write(self, folder: Path) -> None:
        files.write_atomically(folder / _RECORD, json.dumps(asdict(self), indent=1))

    def add(self, folder: Path, name: str) -> None:
        self.files[name] = [(folder / name).stat().st_size, _md5(folder / name)]
        self.write(folder)

    def is_unchanged(self, folder: Path, name: str) -> bool:
        """Say whether we wrote `name` and it has not changed since."""
        size, md5 = self.files.get(name, (-1, ""))
        path = folder / name
        return path.is_file() and path.stat().st_size == size and _md5(path) == md5


def kernel_output(
    handle: str | KernelVersion,  # owner/name, or the result of push_notebook
    dest: str | Path = ".",  # folder
    version: int | None = None,  # None = the current one
    *,
    client: KaggleApi | None = None,
    progress: downloads.Progress | None = None,  # called with (bytes so far, in all) of each file
    any_status: bool = False,  # take the listed files even if the status says that it runs
) -> KernelOutput:
    """Download every file that a notebook version wrote, and its log, into `dest`.

    Complete files are not downloaded again, so an interrupted call resumes. A file of yours with
    the same name is kept as NAME.old; files that we wrote for another version are removed.
    """
    client, dest = client or session.import_kaggle(), Path(dest)
    kernel = lookup.with_version(client, kernel_of(handle, version, client))
    with files.disk_errors(dest, "another `dest`"):
        dest.mkdir(parents=True, exist_ok=True)
        lock = dest / ".fkp-output.lock"
        with FileLock(lock):
            record = _Record.read(dest)
            is_there = record.is_whole and _is_same_version(record, kernel, client)
            is_there = is_there and not any_status  # its list of files may grow
            if not (is_there and all(record.is_unchanged(dest, name) for name in record.files)):
                if not any_status:
                    _refuse_running(client, kernel)
                record = _fetch_all(client, kernel, dest, record, progress)
            lock.unlink(missing_ok=True)
    names = tuple(name for name in record.files if name != record.log)
    if api.is_local(client):
        live_writes.remember(dest, names, f"an output of the rehearsed notebook {kernel}")
    return KernelOutput(kernel.handle, kernel.version, str(dest), names, record.log)


def _is_same_version(record: _Record, kernel: Kernel, client: Any) -> bool:
    wanted = (kernel.handle, kernel.version, api.origin(client))
    recorded = (record.handle, record.version, record.origin)
    return kernel.version is not None and recorded == wanted


def _refuse_running(client: Any, kernel: Kernel) -> None:
    status = lookup.read_status(client, kernel)
    if not status.is_done:
        raise KaggleError(
            f"{kernel} is {status.status.lower()}: its output is not complete yet. Wait for its "
            f"end, with wait_kernel({kernel.handle!r}, {kernel.version}) or `fkp status "
            f"{kernel.handle} --live`, then call again."
        )


def _fetch_all(
    client: Any, kernel: Kernel, dest: Path, old: _Record, progress: downloads.Progress | None
) -> _Record:
    urls, log = _list_output(client, kernel)
    sizes = _list_sizes(client, kernel)
    for name in urls:
        _refuse_outside(name, dest)
    for name in [n for n in old.files if n not in urls]:
        if old.is_unchanged(dest, name):
            (dest / name).unlink()
    work, is_same = dest / ".fkp-output.download", _is_same_version(old, kernel, client)
    if not is_same:
        shutil.rmtree(work, ignore_errors=True)
    work.mkdir(exist_ok=True)
    record = _Record(kernel.handle, kernel.version, api.origin(client))
    for name in urls:
        is_ours = old.is_unchanged(dest, name)
        if not (is_same and is_ours):
            part = work / (hashlib.sha256(name.encode()).hexdigest()[:16] + ".part")
            _OutputFile(client, kernel, name, urls, sizes.get(name)).fetch(part, progress)
            _move_into_place(part, dest, name, is_ours=is_ours)
        record.add(dest, name)
    if log and (name := f"{kernel.slug}.log") not in urls:
        part = work / "log.part"
        part.write_text(log, encoding="utf-8")
        _move_into_place(part, dest, name, is_ours=old.is_unchanged(dest, name))
        record.log = name
        record.add(dest, name)
    record.is_whole = True
    record.write(dest)
    shutil.rmtree(work, ignore_errors=True)
    return record


def _list_output(client: Any, kernel: Kernel) -> tuple[dict[str, str], str]:
    """Return name -> link of every output file, and the log."""
    about, urls, log = lookup.about(client, kernel), {}, ""
    for answer in about.pages("list_kernel_session_output", doing="read the output of"):
        log = log or answer.log or ""
        urls.update({f.file_name: f.url for f in answer.files or [] if f.file_name})
    return urls, log


def _list_sizes(client: Any, kernel: Kernel) -> dict[str, int]:
    """Return name -> bytes as Kaggle lists them."""
    pages = lookup.about(client, kernel).pages("list_kernel_files", doing="list the files of")
    try:
        return {f.name: f.size for answer in pages for f in answer.files or []}
    except (NotFound, PermissionDenied):
        return {}  # only a second check: the links have sizes too


@dataclass
class _OutputFile:
    """One output file on its way here."""

    client: Any
    kernel: Kernel
    name: str
    urls: dict[str, str]  # of all output files; updated when links expire
    size: int | None  # as Kaggle lists it
    source: downloads.Source | None = None

    def fetch(self, part: Path, progress: downloads.Progress | None) -> None:
        """Complete `part`; download it again if its bytes are wrong."""

        def check(md5: str) -> None:
            # The right MD5 is enough, even if the listed size differs.
            has_md5, n_bytes = self.source and self.source.md5, part.stat().st_size
            if not has_md5 and self.size not in (None, n_bytes):
                raise DownloadCorrupt(f"It has {n_bytes} bytes, and Kaggle lists {self.size}.")

        downloads.fetch_verified(
            lookup.about(self.client, self.kernel),
            part,
            check,
            find=self._find_source,
            doing=f"download {self.name} of",
            what=f"{self.name!r} of {self.kernel}",
            advice="call again later: nothing was written under its name, an older file is kept",
            progress=progress,
        )

    def _find_source(self) -> downloads.Source:
        """Return the source of the bytes; replace a link that has expired."""
        limits = api.limits_of(self.client)
        try:
            self.source = http.retry_read(self._ask, limits)
        except requests.HTTPError as e:
            if http.status_of(e) not in (400, 401, 403, 404, 410):
                raise
            new, _ = _list_output(self.client, self.kernel)
            if self.name not in new:
                raise
            self.urls.update(new)
            self.source = http.retry_read(self._ask, limits)
        return self.source

    def _ask(self) -> downloads.Source:
        headers = {"Accept-Encoding": "identity"}
        # Not HEAD: a signed link may allow only GET.
        with (
            api.storage_session(self.client) as storage,
            storage.get(self.urls[self.name], headers=headers, stream=True) as answer,
        ):
            answer.raise_for_status()
            return downloads.source_of(answer)


def _move_into_place(part: Path, dest: Path, name: str, *, is_ours: bool) -> None:
    """Give a complete file its name in one step; keep another file of that name as NAME.old."""
    target = dest / name
    target.parent.mkdir(parents=True, exist_ok=True)
    _refuse_outside(name, dest)  # check again: a folder on the way may be a link
    if target.is_dir() or (target.exists() and not is_ours and _md5(target) != _md5(part)):
        files.make_room(target)
    part.replace(target)
    downloads.forget(part)


def _refuse_outside(name: str, dest: Path) -> None:
    first = next(iter(PurePosixPath(name).parts), "")
    is_odd = leaves_folder(name) or "\0" in name or not first or first.startswith(".fkp-")
    if is_odd or not (dest / name).parent.resolve().is_relative_to(dest.resolve()):
        raise KaggleError(
            f"The output has a file that would leave {str(dest)!r}, or overwrite our records "
            f"there: {name!r}. Nothing was written; inspect the notebook before you trust it."
        )


def _md5(path: Path) -> str:
    return files.file_hash(path, "md5")
