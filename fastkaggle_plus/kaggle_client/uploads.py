"""Upload a file to Kaggle's storage. Safe to repeat: only a later call with its token uses it."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests
from tqdm.utils import CallbackIOWrapper

from ..exceptions import UploadFailed
from ..ui.progress_bar import Update, show_progress
from . import api, errors, http
from .api import Subject
from .services import BLOBS
from .upload_sessions import OpenUploads, UploadSession


def upload_submission(about: Subject, path: Path) -> str:
    """Upload `path` for a submission to a competition and return its token."""
    fields = {"file_name": path.name, **_size_and_date(path)}

    def start() -> UploadSession:
        answer = about.call("start_submission_upload", doing="submit to", **fields)
        return UploadSession(answer.token, answer.create_url)

    next_step = "call submit again; nothing was submitted"
    return _upload(about.client, path, start, next_step=next_step)


def upload_dataset_file(
    client: Any,
    path: Path,
    *,
    handle: str,  # owner/slug of the dataset, for messages
    open_uploads: OpenUploads,  # of earlier calls: one that a kill cut is resumed
) -> str:
    """Upload `path` as a file of a dataset and return its token."""
    from kagglesdk.blobs.types.blob_api_service import ApiBlobType

    about = Subject(client, BLOBS, handle)
    fields = {"type": ApiBlobType.DATASET, "name": path.name, **_size_and_date(path)}

    def start() -> UploadSession:
        answer = about.call("start_blob_upload", doing="upload to", **fields)
        return open_uploads.add(path, UploadSession(answer.token, answer.create_url))

    next_step = "call it again; no version was made"
    return _upload(client, path, start, opened=open_uploads.find(path), next_step=next_step)


def _size_and_date(path: Path) -> dict[str, int]:
    stat = path.stat()
    return {"content_length": stat.st_size, "last_modified_epoch_seconds": int(stat.st_mtime)}


def _upload(
    client: Any,
    path: Path,
    start: Callable[[], UploadSession],
    *,
    next_step: str,  # for the message
    opened: UploadSession | None = None,
    tries: int = 3,  # upload sessions; within each, the upload resumes after a lost connection
) -> str:
    upload, has_bytes = opened or start(), opened is not None
    for attempt in range(tries):
        if attempt:
            upload, has_bytes = start(), False
        try:
            with show_progress(f"upload {path.name}") as update:
                sending = _Upload(client, path, upload.url, is_begun=has_bytes, update=update)
                if sending.send():
                    return upload.token
        except requests.RequestException as e:
            status = http.status_of(e)
            why = f"the connection failed ({type(e).__name__})"
            why = f"the storage answered {status}" if status else why
            raise UploadFailed(
                f"{path.name} ({path.stat().st_size / 1e6:.1f} MB) did not reach Kaggle: {why}. "
                f"Check the network and {next_step}.",
                status=status,
                said=errors.service_message(e),
            ) from None
    raise UploadFailed(
        f"Kaggle dropped the upload of {path.name} {tries} times before it was complete. Wait some "
        f"minutes, then {next_step}."
    )


class _Upload:
    """The bytes of one file on their way into one upload session."""

    def __init__(self, client: Any, path: Path, url: str, *, is_begun: bool, update: Update):
        self.client, self.path, self.url, self.update = client, path, url, update
        self.size = path.stat().st_size
        self.n_stored = 0  # bytes the storage has
        self.is_known = not is_begun  # whether n_stored is up to date

    def send(self) -> bool:
        """Send all bytes, resuming after failures; return False if the upload session is gone."""
        before = -1
        while before < self.n_stored:  # as long as each round of tries makes progress
            before = self.n_stored
            try:
                return http.retry_read(self._send_rest, api.limits_of(self.client))
            except requests.RequestException as e:
                failure = e
        raise failure

    def _send_rest(self) -> bool:
        with api.storage_session(self.client) as storage:
            if not self.is_known and (is_whole := self._ask(storage)) is not None:
                return is_whole
            self.is_known = False  # after any failure from here on, ask before sending more
            with open(self.path, "rb") as f:
                f.seek(self.n_stored)
                span = f"bytes {self.n_stored}-{self.size - 1}/{self.size}"
                headers = {"Content-Range": span} if self.n_stored else {}
                body = CallbackIOWrapper(lambda _: self._show(f.tell()), f) if self.size else b""
                answer = storage.put(self.url, data=body, headers=headers)
        if answer.status_code in (404, 410):
            return False
        if answer.status_code == 308:
            self.n_stored, self.is_known = _n_stored(answer), True
            raise requests.ConnectionError("the storage has only a part of the file")
        answer.raise_for_status()
        return True

    def _show(self, n_sent: int) -> None:
        self.update(n_sent / self.size, f"{n_sent / 1e6:.1f} of {self.size / 1e6:.1f} MB")

    def _ask(self, storage: requests.Session) -> bool | None:
        """Update n_stored; return True if the file is whole, False if the session is gone."""
        headers = {"Content-Range": f"bytes */{self.size}", "Content-Length": "0"}
        answer = storage.put(self.url, headers=headers)
        if answer.status_code in (200, 201):
            return True
        if answer.status_code in (404, 410):
            return False
        if http.is_transient(requests.HTTPError(response=answer)):
            answer.raise_for_status()
        self.n_stored = _n_stored(answer)
        return None


def _n_stored(answer: requests.Response) -> int:
    """Return how many bytes the storage has, by its answer."""
    if answer.status_code != 308:
        return 0
    span = re.fullmatch(r"(?:bytes=)?0-(\d+)", answer.headers.get("Range", ""))
    return int(span[1]) + 1 if span else 0
