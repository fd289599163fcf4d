"""Send a folder to Kaggle once, as a new dataset or as a new version of one."""

import contextlib
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ...exceptions import (
    DataError,
    DatasetFailed,
    KaggleError,
    KaggleUnavailable,
    NameTaken,
    NotFound,
)
from .. import api, error_rules, errors, outbox, uploads
from ..outbox import Entry, Journal, UnclearAnswer
from ..services import dataset_page
from ..upload_sessions import OpenUploads
from . import lookup
from .content import Content, files_to_upload, read_content
from .metadata import Metadata, check_names


@dataclass(frozen=True)
class Dataset:
    """A dataset at one of its versions."""

    handle: str  # owner/slug
    title: str
    version: int  # 0 = not sent, or Kaggle has not numbered it yet
    status: str  # READY, or its processing step; NOT_SENT
    is_private: bool
    sent: bool = False  # by the call that returned this; False = it was there already

    @property
    def url(self) -> str:
        """Its page for people."""
        return dataset_page(self.handle)


@dataclass(frozen=True)
class Terms:
    """How to send a dataset."""

    new: bool  # a dataset; False = a version of one
    wait: bool  # until it is READY
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
    """Send `folder` once and return the dataset once it is READY."""
    check_names(meta.title, meta.handle.split("/")[1])
    content = read_content(folder)
    if not content.files:
        raise DataError(f"{folder} has nothing to send. Put the dataset's files into it.")
    publication = _Publication(client, outbox.journal_of(journal), meta, content, terms)
    new = Entry(
        api.origin(client),
        api.user_of(client),
        meta.handle,
        content.sha256,
        content.size,
        folder.name,
        notes.strip(),
        kind="dataset",
    )
    with publication.book.lock(terms.timeout_s, meta.handle):
        old = None if terms.again else publication.earlier(new)
        entry = old or publication.send(new)
        entry, status = publication.wait(entry, sent=old is None)
    return Dataset(meta.handle, meta.title, entry.ref, status, meta.is_private, sent=old is None)


@dataclass(frozen=True)
class _Publication:
    """One folder on its way to Kaggle."""

    client: Any
    book: Journal
    meta: Metadata
    content: Content
    terms: Terms

    @property
    def handle(self) -> str:
        return self.meta.handle

    def earlier(self, new: Entry) -> Entry | None:
        """Return the journaled attempt that made the current version of the same files."""
        poll_s = self.terms.poll_s
        return self.book.earlier(new, self._find_version, self._is_current, poll_s=poll_s)

    def _is_current(self, old: Entry) -> bool:
        dataset = lookup.find_dataset(self.client, self.handle)
        if dataset is None or dataset.current_version_number != old.ref:
            return False
        return self.content.fits(lookup.list_files(self.client, self.handle))

    def send(self, new: Entry) -> Entry:
        """Upload the files and make the version; return its journal entry."""
        self.book.write(new)
        before = self._version_before()
        open_uploads = OpenUploads(self.book, origin=new.origin, user=new.user, handle=self.handle)
        with TemporaryDirectory(prefix="fkp-") as work:
            tokens = [
                uploads.upload_dataset_file(
                    self.client, path, handle=self.handle, open_uploads=open_uploads
                )
                for path in files_to_upload(self.content, Path(work))
            ]
        about = lookup.about(self.client, self.handle)
        if self.terms.new:  # its request has other names for them
            about = replace(about, fields={})
        method, request = _request(self.meta, tokens, new.description, self.terms)
        entry = self.book.write(new, state="creating", before=(before,))
        open_uploads.clear()

        def create() -> int:
            answer = about.send(method, **request)
            if answer.error:
                raise _refusal(self.handle, answer.error)
            if answer.status.lower() != "ok":
                raise UnclearAnswer(_refusal(self.handle, answer.status))
            return 0  # Kaggle numbers the version later

        return self.book.send(
            about,
            entry,
            doing="make",
            create=create,
            find=self._find_version,
            poll_s=self.terms.poll_s,
        )

    def wait(self, entry: Entry, *, sent: bool) -> tuple[Entry, str]:
        """Return the entry with its version, and the status, once it is READY."""
        terms = self.terms
        wait = lookup.require_final if terms.wait else lookup.wait_final
        try:
            status, version = wait(
                self.client,
                self.handle,
                timeout_s=terms.timeout_s if terms.wait else 0.0,
                poll_s=terms.poll_s,
                after=max(entry.before, default=0),
            )
        except KaggleUnavailable:
            if terms.wait or not sent:
                raise
            return entry, "NOT_YET_PERSISTED"  # it is sent, even if its status cannot be read now
        if status in ("FAILED", "DELETED"):
            self.book.write(entry, state="refused")
            raise DatasetFailed(
                f"Kaggle took the files of {self.handle} and could not process them (status "
                f"{status}). Look at {dataset_page(self.handle)}; damaged archives and names it "
                "cannot store are the usual causes. Correct the files, then call push_dataset."
            )
        if status == "READY" and not entry.ref:
            entry = self.book.write(entry, state="sent", ref=version)
        return entry, status

    def _version_before(self) -> int:
        """Return the current version, 0 without one. Raises NameTaken or NotFound."""
        dataset = lookup.find_dataset(self.client, self.handle)
        if self.terms.new:
            if dataset is None:
                return 0
            text = error_rules.NAME_TAKEN.format(name=self.handle, url=dataset_page(self.handle))
            raise NameTaken(text)
        if dataset is None:
            raise NotFound(
                f"There is no dataset {self.handle} to make a new version of. Make it first with "
                "mk_dataset.",
                status=404,
            )
        return self._final_version()

    def _final_version(self) -> int:
        """Return the current version. While one is processed, the next number is unknown."""
        timeout_s, poll_s = self.terms.timeout_s, self.terms.poll_s
        return lookup.require_final(self.client, self.handle, timeout_s=timeout_s, poll_s=poll_s)[1]

    def _find_version(self, entry: Entry) -> Entry | None:
        """Return `entry` with the version it made: a new one with these files."""
        dataset = lookup.find_dataset(self.client, self.handle)
        if dataset is None:
            return None
        latest, before = self._final_version(), max(entry.before, default=0)
        notes = {v.version_number: v.version_notes for v in dataset.versions or []}
        for version in range(latest, before, -1):
            by_name = bool(entry.description) and notes.get(version) == entry.description
            with contextlib.suppress(NotFound):  # a version that failed has no files
                listed = lookup.list_files(self.client, self.handle, version=version)
                if self.content.fits(listed, by_name=by_name):
                    return replace(entry, state="sent", ref=version)
        return None


def _request(
    meta: Metadata, tokens: list[str], notes: str, terms: Terms
) -> tuple[str, dict[str, Any]]:
    """Return the method that makes the dataset or version, and the fields of its request."""
    from kagglesdk.datasets.types import dataset_api_service as types

    files = []
    for token in tokens:
        file = types.ApiDatasetNewFile()
        file.token = token
        files.append(file)
    fields: dict[str, Any] = {"files": files, "category_ids": list(meta.keywords)}
    texts = {"subtitle": meta.subtitle, "description": meta.description}
    fields |= {k: v for k, v in texts.items() if v}
    if terms.new:
        owner, slug = meta.handle.split("/")
        fields |= {"owner_slug": owner, "slug": slug, "title": meta.title}
        fields |= {"license_name": meta.license, "is_private": meta.is_private}
        return "create_dataset", fields
    fields |= {"version_notes": notes, "delete_old_versions": terms.delete_old_versions}
    body = types.ApiCreateDatasetVersionRequestBody()
    for field, value in fields.items():
        setattr(body, field, value)
    return "create_dataset_version", {"body": body}


def _refusal(
    handle: str,
    message: str,  # the `error` in an answer that has HTTP status 200
) -> KaggleError:
    """Return the exception for a dataset or version that Kaggle did not make."""
    rule = errors.find_rule(error_rules.DATASET, 400, message)
    error = NameTaken if rule and rule.error is NameTaken else DatasetFailed
    text = ""
    if rule:
        text = rule.message.format(name=handle, url=dataset_page(handle), doing="make") + " "
    return error(f"{text}Kaggle said: {message or 'nothing'}", said=message)
