"""Fetch a file so that a cut connection or a kill costs only what was in flight, and unpack it so that half of it is never seen."""

from __future__ import annotations

import base64
import errno
import hashlib
import json
import lzma
import os
import random
import re
import shutil
import stat
import struct
import time
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import TypeVar

import requests

from ..exceptions import DownloadCorrupt, KaggleError, KaggleUnavailable
from . import retry

T = TypeVar("T")
CHUNK_BYTES = 1 << 20
BOMB_BYTES, BOMB_RATIO = (
    1 << 30,
    500,
)  # unpacked, and that to packed: tables reach 100 times, only what is made to fill disks goes past both
_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
)
_DISK = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EROFS,
    errno.EACCES,
    errno.EPERM,
    errno.EMFILE,
    errno.EIO,
}  # what is not the archive's fault
Progress = Callable[[int, int], None]  # bytes so far, bytes in all (0 = unknown)


@dataclass(frozen=True)
class Source:
    "Where the bytes are now, and what they must be."

    url: str  # signed, expires
    size: int  # bytes, -1 = not told
    validator: str  # strong ETag or Last-Modified, "" = none: then nothing is resumed
    md5: str  # hex, "" = not told


def source_of(answer: requests.Response) -> Source:
    "Return what the headers of a redirected download tell. Raises KaggleUnavailable for a web page in place of the data."
    headers = answer.headers
    if "text/html" in headers.get("Content-Type", ""):
        raise KaggleUnavailable(
            "A web page came where the data was to be. Something in between answered, like the login page of a network: "
            "open kaggle.com in a browser, then call again."
        )
    size = headers.get("Content-Length", "")
    hashes = dict(
        h.strip().split("=", 1) for h in headers.get("x-goog-hash", "").split(",") if "=" in h
    )
    etag = headers.get("ETag", "")
    weak = not etag or etag.startswith("W/")
    return Source(
        answer.url,
        int(size) if size.isdigit() else -1,
        headers.get("Last-Modified", "") if weak else etag,
        base64.b64decode(hashes["md5"]).hex() if "md5" in hashes else "",
    )


def fetch(
    ask: Callable[[], Source],  # gets a fresh link; called again when one expires
    part: Path,  # the bytes so far; kept when this fails, so that a later call goes on
    session: requests.Session,
    *,
    stalls: int = 7,  # tries in a row that bring nothing new before giving up
    wait_s: float = 1.0,  # first pause between them, doubled each time
    longest_wait_s: float = 300.0,  # asked to wait longer, it gives up: that is for the user to decide
    progress: Progress | None = None,
) -> str:
    """Complete `part`, check its size and MD5, and return its MD5.

    A line that fails is waited for; bytes that are wrong are not: DownloadCorrupt at once, `part` forgotten.
    """
    source: Source | None = None
    failure: requests.RequestException | None = None
    stalled, most = (
        0,
        0,
    )  # the most bytes that were here: a transfer that starts anew each time gets nowhere
    while stalled < stalls:
        if failure is not None and stalled:
            asked = retry.retry_after_s(failure)
            if asked is not None and asked > longest_wait_s:
                break
            time.sleep(asked or wait_s * 2 ** (stalled - 1) + random.random() * wait_s)
        source = source or ask()
        had = _resume_at(part, source)
        try:
            if had != source.size or not part.exists():
                _stream(source, part, session, had, progress)
            if source.size < 0 or part.stat().st_size == source.size:
                return _verify(part, source)
            _refuse_longer(part, source)
            # Ended without an error: what was told of the file may be wrong or old, so it is asked for anew with the rest.
            source, failure = None, requests.ConnectionError("the transfer ended early")
        except requests.HTTPError as e:
            if not retry.is_transient(e) and retry.status_of(e) not in (403, 404, 410, 416):
                raise
            source, failure = None, e  # an expired link, or a service in trouble: ask for a new one
        except (
            requests.ConnectionError,
            requests.Timeout,
            requests.exceptions.ChunkedEncodingError,
        ) as e:
            failure = e
        now = part.stat().st_size if part.exists() else 0
        stalled, most = (0, now) if now > most else (stalled + 1, most)
    raise failure or requests.ConnectionError("no byte came")


def until_sound(
    once: Callable[
        [], T
    ],  # fetches into `part` and checks it; DownloadCorrupt = the bytes are wrong
    part: Path,
    *,
    what: str,  # that came damaged, for the message
    then: str,  # what else to do, for the message: "look at ADDRESS"
    tries: int = 3,
) -> T:
    "Return what `once` returns, called anew with its bytes forgotten while they are wrong. Raises DownloadCorrupt."
    for left in reversed(range(tries)):
        try:
            return once()
        except DownloadCorrupt as e:
            forget(part)
            if not left:
                raise DownloadCorrupt(
                    f"{what} came damaged {tries} times. {e} Try another network, or {then}."
                ) from e
    raise ValueError(f"tries must be at least 1, and {tries} came.")


def forget(part: Path) -> None:
    "Remove `part` and its note."
    part.unlink(missing_ok=True)
    _note(part).unlink(missing_ok=True)


def unpack(archive: Path, folder: Path) -> None:
    "Extract a zip into an empty `folder`; every member's CRC is checked, members outside the folder are refused."
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        with zipfile.ZipFile(archive) as z:
            members = z.infolist()
            if not any(not m.is_dir() for m in members):
                raise zipfile.BadZipFile("it holds no file")
            for member in members:
                _refuse_outside(member, archive)
            needed, free = sum(m.file_size for m in members), shutil.disk_usage(folder).free
            if needed > max(BOMB_BYTES, BOMB_RATIO * archive.stat().st_size):
                raise KaggleError(
                    f"{archive.name.removesuffix('.part')} would grow from {archive.stat().st_size / 1e6:.1f} to {needed / 1e6:.0f} MB: that is "
                    "how a zip made to fill the disk looks. Nothing was unpacked. Look at the list of its files on Kaggle first."
                )
            if needed > free:
                raise OSError(
                    errno.ENOSPC,
                    f"unpacked it takes {needed / 1e6:.0f} MB and {free / 1e6:.0f} MB are free",
                    str(folder),
                )
            for member in members:
                _extract(z, member, folder)
    except KaggleError:
        raise
    except OSError as e:  # the folder is new and ours: names that clash or are too long are the archive's doing, as is a bad bzip2 stream
        if e.errno in _DISK:
            raise
        at = f" ({e.filename})"[:200] if e.filename else ""
        raise DownloadCorrupt(
            f"{archive.name.removesuffix('.part')} does not unpack: {e.strerror or e}{at}."
        ) from e
    except _DAMAGED as e:
        raise DownloadCorrupt(
            f"{archive.name.removesuffix('.part')} is not a sound zip: {e}."
        ) from e


def _stream(
    source: Source, part: Path, session: requests.Session, had: int, progress: Progress | None
) -> None:
    headers = {"Accept-Encoding": "identity"}
    if had:
        headers |= {"Range": f"bytes={had}-", "If-Range": source.validator}
    with session.get(source.url, headers=headers, stream=True) as answer:
        if answer.status_code == 416:
            forget(part)
        answer.raise_for_status()  # an error's body must never get into the file
        begin = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""))
        goes_on = answer.status_code == 206 and begin is not None and int(begin[1]) == had
        done = had if goes_on else 0
        with open(part, "ab" if goes_on else "wb") as f:
            for chunk in answer.iter_content(CHUNK_BYTES if not progress else CHUNK_BYTES // 4):
                f.write(chunk)
                done += len(chunk)
                if progress:
                    progress(done, max(source.size, 0))


def _resume_at(part: Path, source: Source) -> int:
    "Return how many bytes of `source` are already in `part`; forget those of another version."
    facts = {k: v for k, v in asdict(source).items() if k != "url"}
    had = part.stat().st_size if part.exists() else 0
    try:
        same = bool(source.validator) and json.loads(_note(part).read_text()) == facts
    except (OSError, ValueError):
        same = False
    if had and same and (source.size < 0 or had <= source.size):
        return had
    forget(part)
    _note(part).write_text(json.dumps(facts))
    return 0


def _verify(part: Path, source: Source) -> str:
    with open(part, "rb") as f:
        md5 = hashlib.file_digest(f, "md5").hexdigest()
    if source.md5 and md5 != source.md5:
        forget(part)
        raise DownloadCorrupt(
            f"{part.name.removesuffix('.part')} came with MD5 {md5}; Kaggle says {source.md5}."
        )
    return md5


def _refuse_longer(part: Path, source: Source) -> None:
    "Raise if more came than was told: no pause and no other try with this link mends that."
    if (came := part.stat().st_size) > source.size:
        forget(part)
        raise DownloadCorrupt(
            f"{part.name.removesuffix('.part')} came with {came} bytes; Kaggle said {source.size}."
        )


def _note(part: Path) -> Path:
    return part.with_name(part.name + ".json")


def _refuse_outside(member: zipfile.ZipInfo, archive: Path) -> None:
    path = PurePosixPath(member.filename.replace("\\", "/"))
    is_link = stat.S_ISLNK(member.external_attr >> 16)
    if (
        path.is_absolute()
        or ".." in path.parts
        or re.match(r"[A-Za-z]:", member.filename)
        or is_link
    ):
        raise KaggleError(
            f"{archive.name.removesuffix('.part')} has a member that would leave its folder: {member.filename!r}. "
            "Nothing was unpacked. Tell who offers it on Kaggle; do not unpack it by hand."
        )


def _extract(z: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path) -> None:
    target = folder / member.filename.replace("\\", "/")
    if member.is_dir():
        target.mkdir(parents=True, exist_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with z.open(member) as source, open(target, "wb") as f:
        shutil.copyfileobj(source, f, CHUNK_BYTES)
    if member.date_time >= (1980, 1, 1, 0, 0, 0):
        moment = time.mktime((*member.date_time, 0, 0, -1))
        os.utime(target, (moment, moment))
