"""Download a file: resume after lost connections and kills, verify size and MD5."""

import base64
import contextlib
import json
import random
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

import requests
from requests.utils import parse_dict_header

from .. import files
from ..exceptions import DownloadCorrupt, KaggleUnavailable
from ..ui import show_progress
from . import api, http
from .api import Subject

T = TypeVar("T")
CHUNK_BYTES = 1 << 20
Progress = Callable[[int, int], None]  # bytes so far, bytes in all (0 = unknown)


@dataclass(frozen=True)
class Source:
    """Where the bytes are now, and how to verify them."""

    url: str  # signed, expires
    size: int  # bytes, -1 = unknown
    validator: str  # strong ETag or Last-Modified, "" = none: then a download cannot resume
    md5: str  # hex, "" = unknown


def source_of(answer: requests.Response) -> Source:
    """Return the source in the headers of an answer. Raises KaggleUnavailable for a web page."""
    headers = answer.headers
    if "text/html" in headers.get("Content-Type", ""):
        raise KaggleUnavailable(
            "Expected data, got a web page; you are probably behind a login page of the network. "
            "Open kaggle.com in a browser, then call again."
        )
    size = headers.get("Content-Length", "")
    hashes = parse_dict_header(headers.get("x-goog-hash", ""))
    etag = headers.get("ETag", "")
    is_weak = not etag or etag.startswith("W/")
    return Source(
        answer.url,
        int(size) if size.isdigit() else -1,
        headers.get("Last-Modified", "") if is_weak else etag,
        base64.b64decode(hashes["md5"]).hex() if "md5" in hashes else "",
    )


def fetch_verified(
    about: Subject,
    part: Path,  # the bytes so far
    check: Callable[[str], T],  # gets the MD5, unpacks or checks `part`, raises DownloadCorrupt
    *,
    find: Callable[[], Source],  # gets a fresh link
    doing: str,  # the verb for messages
    what: str,  # that is damaged, for the message
    advice: str,  # for the message
    progress: Progress | None = None,
    tries: int = 3,
) -> T:
    """Complete `part` and return the result of `check`; try again while bytes are wrong."""
    stalls = api.limits_of(about.client).tries
    for tries_left in reversed(range(tries)):
        try:
            with api.storage_session(about.client) as storage, about.explained(doing):
                with _shown(progress, doing, what) as update:
                    md5 = fetch(find, part, storage, stalls=stalls, progress=update)
            return check(md5)
        except DownloadCorrupt as e:
            forget(part)
            if not tries_left:
                raise DownloadCorrupt(
                    f"{what} was damaged {tries} times. {e} Try another network, or {advice}."
                ) from e
    raise ValueError(f"tries must be at least 1, got {tries}.")


@contextlib.contextmanager
def _shown(progress: Progress | None, doing: str, what: str) -> Iterator[Progress]:
    """Yield the caller's function; without one, that of a progress bar."""
    if progress is not None:
        yield progress
        return
    with show_progress(f"{doing} {what}") as update:
        yield lambda done, total: update(
            done / total if total else 0.0, f"{done / 1e6:.1f} of {total / 1e6:.1f} MB"
        )


def fetch(
    find: Callable[[], Source],  # gets a fresh link; called again when one expires
    part: Path,  # the bytes so far; kept after a failure, so that a later call resumes
    session: requests.Session,
    *,
    stalls: int = 7,  # tries in a row without new bytes before giving up
    wait_s: float = 1.0,  # first pause between them, doubled each time
    longest_wait_s: float = 300.0,  # the user decides about a longer Retry-After
    progress: Progress | None = None,
) -> str:
    """Complete `part`, check its size and MD5, and return its MD5.

    A lost connection is retried after a pause. Wrong bytes are not: DownloadCorrupt is raised and
    `part` is removed.
    """
    source: Source | None = None
    failure: requests.RequestException | None = None
    stalled, most = 0, 0  # `most`: a transfer that restarts each time makes no progress
    while stalled < stalls:
        if failure is not None and stalled:
            asked = http.retry_after_s(failure)
            if asked is not None and asked > longest_wait_s:
                break
            pause_s = asked or wait_s * 2 ** (stalled - 1) + random.random() * wait_s
            http.announce_wait(pause_s, failure)
            time.sleep(pause_s)
        source = source or find()
        n_here = _resume_at(part, source)
        try:
            if n_here != source.size or not part.exists():
                _stream(source, part, session, n_here, progress)
            if part.stat().st_size >= source.size:
                return _verify(part, source)
            # It ended without an error: size and link may be outdated, so ask for new ones.
            source, failure = None, requests.ConnectionError("the transfer ended early")
        except requests.HTTPError as e:
            if not http.is_transient(e) and http.status_of(e) not in (403, 404, 410, 416):
                raise
            source, failure = None, e  # an expired link, or a service in trouble
        except http.LOST_CONNECTION as e:
            failure = e
        n_now = part.stat().st_size if part.exists() else 0
        stalled, most = (0, n_now) if n_now > most else (stalled + 1, most)
    raise failure or requests.ConnectionError("no byte arrived")


def forget(part: Path) -> None:
    """Remove `part` and its record."""
    part.unlink(missing_ok=True)
    _record_of(part).unlink(missing_ok=True)


def _stream(
    source: Source, part: Path, session: requests.Session, n_here: int, progress: Progress | None
) -> None:
    headers = {"Accept-Encoding": "identity"}
    if n_here:
        headers |= {"Range": f"bytes={n_here}-", "If-Range": source.validator}
    with session.get(source.url, headers=headers, stream=True) as answer:
        if answer.status_code == 416:
            forget(part)
        answer.raise_for_status()  # an error's body must never be written into the file
        begin = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""))
        is_rest = answer.status_code == 206 and begin is not None and int(begin[1]) == n_here
        done = n_here if is_rest else 0
        with open(part, "ab" if is_rest else "wb") as f:
            for chunk in answer.iter_content(CHUNK_BYTES // 4 if progress else CHUNK_BYTES):
                f.write(chunk)
                done += len(chunk)
                if progress:
                    progress(done, max(source.size, 0))


def _resume_at(part: Path, source: Source) -> int:
    """Return how many bytes of `source` are already in `part`; remove those of another version."""
    facts = {k: v for k, v in asdict(source).items() if k != "url"}
    n_here = part.stat().st_size if part.exists() else 0
    try:
        recorded = json.loads(_record_of(part).read_text())
    except (OSError, ValueError):
        recorded = None
    is_same = bool(source.validator) and recorded == facts
    if n_here and is_same and (source.size < 0 or n_here <= source.size):
        return n_here
    forget(part)
    _record_of(part).write_text(json.dumps(facts))
    return 0


def _verify(part: Path, source: Source) -> str:
    """Return the MD5 of `part`. Another try with the same link does not change wrong bytes."""
    n_bytes, md5, problem = part.stat().st_size, files.file_hash(part, "md5"), ""
    if 0 <= source.size < n_bytes:
        problem = f"{n_bytes} bytes; Kaggle said {source.size}"
    elif source.md5 and md5 != source.md5:
        problem = f"MD5 {md5}; Kaggle said {source.md5}"
    if problem:
        forget(part)
        raise DownloadCorrupt(f"{part.name.removesuffix('.part')} has {problem}.")
    return md5


def _record_of(part: Path) -> Path:
    return part.with_name(part.name + ".json")
