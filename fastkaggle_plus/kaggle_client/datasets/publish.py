"""Make a dataset, or a new version of one, exactly once, whatever happens to the answer."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import requests
from filelock import FileLock, Timeout

from ...exceptions import (
    DataError,
    DatasetFailed,
    KaggleError,
    KaggleUnavailable,
    NameTaken,
    NotFound,
)
from .. import api as service
from .. import retry, uploads
from ..outbox import Entry, Journal
from ..upload_sessions import Sessions
from . import error_rules
from .error_rules import url_of
from .lookup import (
    SETTLED,
    about,
    explained,
    files_of,
    find,
    send,
    still_processing,
    user_of,
    wait_settled,
)
from .metadata import Content, Metadata, check_names, parcels, read_content


@dataclass(frozen=True)
class Dataset:
    "A dataset at one of its versions."

    handle: str  # owner/slug
    title: str
    version: int  # 0 = not sent, or Kaggle has not numbered it yet
    status: str  # READY, or how far it is; NOT_SENT
    is_private: bool
    sent: bool = False  # by the call that returned this; False = it was there already

    @property
    def url(self) -> str:
        "Its page for people."
        return url_of(self.handle)


@dataclass(frozen=True)
class Terms:
    "How one thing is sent."

    new: bool  # a dataset, and not a version of one
    wait: bool  # for READY
    timeout_s: float
    poll_s: float
    again: bool = False  # make a version even if the current one is the same
    delete_old_versions: bool = False


def publish(
    client: Any,
    folder: Path,
    meta: Metadata,
    *,
    notes: str,  # of the version
    journal: str | Path | Journal | None,
    terms: Terms,
) -> Dataset:
    """Send `folder` and return the dataset once it is READY.

    The attempt is journaled first. If an answer got lost, here or in a process that was killed, the dataset's versions are looked at before
    anything is sent again.
    """
    check_names(meta.title, meta.handle.split("/")[1])
    content = read_content(folder)
    if not content.files:
        raise DataError(f"{folder} holds nothing to send. Put the dataset's files into it.")
    book = journal if isinstance(journal, Journal) else Journal(journal)
    entry = Entry(
        uuid.uuid4().hex,
        service.origin(client),
        user_of(client),
        meta.handle,
        content.sha256,
        content.size,
        folder.name,
        notes.strip(),
        _now(),
        kind="dataset",
    )
    with _alone(book, meta.handle, terms.timeout_s):
        old = None if terms.again else _look_back(client, book, entry, content, terms)
        entry = old or _send(client, book, entry, content, meta, terms)
        entry, status = _follow(client, book, entry, terms, sent=old is None)
    return Dataset(meta.handle, meta.title, entry.ref, status, meta.is_private, sent=old is None)


def _look_back(
    client: Any, book: Journal, new: Entry, content: Content, terms: Terms
) -> Entry | None:
    "Return the journaled attempt that made the current version out of these very files, None if none did."
    old = next(
        (
            e
            for e in reversed(book.entries())
            if e.key == new.key and e.state in ("creating", "sent")
        ),
        None,
    )
    if old is None:
        return None
    if old.ref == 0:  # nobody saw what became of it
        found = _version_made(client, old, content, terms, looks=3)
        return book.write(replace(old, state="sent", ref=found)) if found else None
    dataset = find(client, old.slug)
    is_current = dataset is not None and dataset.current_version_number == old.ref
    return old if is_current and content.fits(files_of(client, old.slug)) else None


def _send(
    client: Any,
    book: Journal,
    entry: Entry,
    content: Content,
    meta: Metadata,
    terms: Terms,
    tries: int = 3,
) -> Entry:
    "Upload and make the version; return its journal entry."
    book.write(entry)
    before = _version_before(client, entry.slug, terms)
    sessions = Sessions(book, origin=entry.origin, user=entry.user, handle=entry.slug)
    with TemporaryDirectory(prefix="fkp-") as work:
        tokens = [
            uploads.upload_blob(client, parcel, handle=entry.slug, sessions=sessions)
            for parcel in parcels(content, Path(work))
        ]
    method, request = _request(entry, meta, tokens, terms)
    entry = book.write(replace(entry, state="creating", before=(before,), time=_now()))
    sessions.forget()
    for nth in range(tries):
        try:
            with explained(client, entry.slug, "make"):
                answer, lost = _create(client, method, request)
            if answer and answer.error:
                raise error_rules.refused(entry.slug, answer.error)
        except KaggleError:
            # Tokens and names that were sent before are refused if the first request did arrive.
            if nth and (found := _version_made(client, entry, content, terms, looks=2)):
                return book.write(replace(entry, state="sent", ref=found))
            book.write(replace(entry, state="creating" if nth else "refused"))
            raise
        if answer and answer.status.lower() == "ok":
            return book.write(replace(entry, state="sent"))
        if found := _version_made(client, entry, content, terms, looks=3):
            return book.write(replace(entry, state="sent", ref=found))
        if answer:
            book.write(replace(entry, state="refused"))
            raise error_rules.refused(entry.slug, answer.error or answer.status)
        pause = retry.retry_after_s(lost) or 0.0
        if pause > getattr(client, "deadline_s", 300.0):
            break
        if nth < tries - 1:
            time.sleep(pause)
    with explained(client, entry.slug, "make"):
        raise lost


def _version_before(client: Any, handle: str, terms: Terms) -> int:
    "Return the version that is there, 0 for none. Raises if a dataset of that name must not be there, or must."
    dataset = find(client, handle)
    if terms.new and dataset is not None:
        raise NameTaken(error_rules.TAKEN.format(slug=handle, url=url_of(handle)))
    if not terms.new and dataset is None:
        raise NotFound(
            f"There is no dataset {handle} to make a new version of. Make it first with mk_dataset.",
            status=404,
        )
    if dataset is None:
        return 0
    # A version on top of one that is still processed would leave open which is the current one.
    status, version = wait_settled(
        client, handle, ends=time.monotonic() + terms.timeout_s, poll_s=terms.poll_s
    )
    if status not in SETTLED:
        raise still_processing(handle, status, terms.timeout_s)
    return version


def _request(entry: Entry, meta: Metadata, tokens: list[str], terms: Terms) -> tuple[str, Any]:
    from kagglesdk.datasets.types import dataset_api_service as api

    files = []
    for token in tokens:
        file = api.ApiDatasetNewFile()
        file.token = token
        files.append(file)
    if terms.new:
        request = api.ApiCreateDatasetRequest()
        request.owner_slug, request.slug = entry.slug.split("/")
        request.title, request.license_name, request.is_private = (
            meta.title,
            meta.license,
            meta.is_private,
        )
        body: Any = request
    else:
        request = about(api.ApiCreateDatasetVersionRequest, entry.slug)
        body = api.ApiCreateDatasetVersionRequestBody()
        body.version_notes, body.delete_old_versions = entry.description, terms.delete_old_versions
    body.files, body.category_ids = files, list(meta.keywords)
    if meta.subtitle:
        body.subtitle = meta.subtitle
    if meta.description:
        body.description = meta.description
    if not terms.new:
        request.body = body
    return "create_dataset" if terms.new else "create_dataset_version", request


def _create(client: Any, method: str, request: Any) -> tuple[Any, Exception]:
    "Return the answer, or None and what came instead of it: then nobody knows whether the version was made."
    try:
        return send(client, method, request), LookupError()
    except (requests.RequestException, ValueError, TypeError, KeyError, AttributeError) as e:
        if isinstance(e, requests.HTTPError) and not retry.is_transient(e):
            raise
        return None, e


def _version_made(client: Any, entry: Entry, content: Content, terms: Terms, *, looks: int) -> int:
    "Return the number of the version that `entry` made, 0 if it made none: one above what was there, with these files."
    before = max(entry.before, default=0)
    for nth in range(looks):
        if nth:
            time.sleep(terms.poll_s * nth)  # the service can lag behind
        dataset = find(client, entry.slug)
        if dataset is None:
            continue
        status, latest = wait_settled(
            client, entry.slug, ends=time.monotonic() + terms.timeout_s, poll_s=terms.poll_s
        )
        if status not in SETTLED:
            raise still_processing(entry.slug, status, terms.timeout_s)
        notes = {v.version_number: v.version_notes for v in dataset.versions or []}
        for version in range(latest, before, -1):
            by_name = bool(entry.description) and notes.get(version) == entry.description
            with contextlib.suppress(NotFound):  # a version that failed has no files
                if content.fits(files_of(client, entry.slug, version=version), by_name=by_name):
                    return version
    return 0


def _follow(
    client: Any, book: Journal, entry: Entry, terms: Terms, *, sent: bool
) -> tuple[Entry, str]:
    "Return the entry with its version, and the status, once it is READY."
    before = max(entry.before, default=0)
    ends = time.monotonic() + (terms.timeout_s if terms.wait else 0.0)
    try:
        status, version = wait_settled(
            client, entry.slug, ends=ends, poll_s=terms.poll_s, after=before
        )
    except KaggleUnavailable:
        if terms.wait or not sent:
            raise
        return (
            entry,
            "NOT_YET_PERSISTED",
        )  # it is sent; not to be asked how it goes is no reason to say that it failed
    if status in ("FAILED", "DELETED"):
        book.write(replace(entry, state="refused"))
        raise DatasetFailed(
            f"Kaggle took the files of {entry.slug} and could not process them (status {status}). Look at "
            f"{url_of(entry.slug)}; damaged archives and names it cannot store are the usual causes. "
            "Mend the files, then call push_dataset."
        )
    if status == "READY" and not entry.ref:
        entry = book.write(replace(entry, state="sent", ref=version))
    if status != "READY" and terms.wait:
        raise still_processing(entry.slug, status, terms.timeout_s)
    return entry, status


@contextlib.contextmanager
def _alone(book: Journal, handle: str, timeout_s: float) -> Iterator[None]:
    "Hold one dataset: two processes must not both send to it. A submission need not wait for a long upload."
    lock = FileLock(
        book.path.with_name(f"{book.path.name}.{handle.replace('/', '.')}.lock"), timeout=timeout_s
    )
    try:
        book.path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise KaggleUnavailable(
            f"Another process has been sending {handle} for more than {timeout_s:.0f} s (lock: {lock.lock_file}). "
            "Wait for it, or end it, then call again."
        ) from None
    except OSError as e:
        raise KaggleError(
            f"The journal {book.path} cannot be written: {e.strerror}. Give a `journal` that can; "
            "without one a lost answer could not be told from a request that never arrived."
        ) from e
    try:
        yield
    finally:
        lock.release()


def _now() -> str:
    return datetime.now(UTC).isoformat()
