"""Bring a file to Kaggle's storage. Safe to repeat: nothing counts as sent before the call that names its token."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests

from ..exceptions import UploadFailed
from . import api, errors, retry
from .datasets import lookup
from .upload_sessions import Sessions, Slot


def upload(
    client: Any,
    path: Path,
    *,
    slug: str,
    tries: int = 3,  # upload sessions; in each the upload goes on from where it was cut
) -> str:
    "Upload `path` for a submission to `slug` and return the token that stands for it."
    from kagglesdk.competitions.types.competition_api_service import ApiStartSubmissionUploadRequest

    def start() -> Slot:
        request = ApiStartSubmissionUploadRequest()
        request.competition_name, request.file_name, request.content_length = (
            slug,
            path.name,
            path.stat().st_size,
        )
        request.last_modified_epoch_seconds = int(path.stat().st_mtime)
        slot = api.read(client, "start_submission_upload", request, slug=slug, doing="submit to")
        return Slot(slot.token, slot.create_url)

    return _bring(client, path, start, tries=tries, call="submit", nothing="nothing was submitted")


def upload_blob(
    client: Any,
    path: Path,
    *,
    handle: str,  # owner/slug of the dataset, for messages
    sessions: Sessions,  # open uploads of earlier calls: one that a kill cut goes on
    tries: int = 3,
) -> str:
    "Upload `path` as a file of a dataset and return the token that stands for it."
    from kagglesdk.blobs.types.blob_api_service import ApiBlobType, ApiStartBlobUploadRequest

    def start() -> Slot:
        request = ApiStartBlobUploadRequest()
        request.type, request.name, request.content_length = (
            ApiBlobType.DATASET,
            path.name,
            path.stat().st_size,
        )
        request.last_modified_epoch_seconds = int(path.stat().st_mtime)
        slot = lookup.read(
            client,
            "start_blob_upload",
            request,
            handle=handle,
            doing="upload to",
            api="blobs.blob_api_client",
        )
        return sessions.add(path, Slot(slot.token, slot.create_url))

    return _bring(
        client,
        path,
        start,
        tries=tries,
        open_slot=sessions.find(path),
        call="it",
        nothing="no version was made",
    )


def _bring(
    client: Any,
    path: Path,
    start: Callable[[], Slot],
    *,
    tries: int,
    open_slot: Slot | None = None,
    call: str,  # what to call again, for the message
    nothing: str,  # what did not happen, for the message
) -> str:
    slot, is_begun = open_slot or start(), open_slot is not None
    for nth in range(tries):
        if nth:
            slot, is_begun = start(), False
        try:
            if _put(client, path, slot.url, is_begun=is_begun):
                return slot.token
        except requests.RequestException as e:
            status = retry.status_of(e)
            why = (
                f"the storage answered {status}"
                if status
                else f"the connection failed ({type(e).__name__})"
            )
            raise UploadFailed(
                f"{path.name} ({path.stat().st_size / 1e6:.1f} MB) did not reach Kaggle: {why}. Check the network and call "
                f"{call} again; {nothing}.",
                status=status,
                said=errors.said(e),
            ) from None
    raise UploadFailed(
        f"Kaggle dropped the upload of {path.name} {tries} times before it was complete. Try again in some minutes; {nothing}."
    )


def _put(client: Any, path: Path, url: str, *, is_begun: bool) -> bool:
    "Send the bytes, going on from where a cut left them; return False if the upload session is gone."
    size, have, is_known = (
        path.stat().st_size,
        0,
        not is_begun,
    )  # bytes the storage has, and whether that is known

    def once() -> bool:
        nonlocal have, is_known
        with api.transfers(client) as session:
            if not is_known:
                answer = session.put(
                    url, headers={"Content-Range": f"bytes */{size}", "Content-Length": "0"}
                )
                if answer.status_code in (200, 201):
                    return True
                if answer.status_code in (404, 410):
                    return False
                if retry.is_transient(requests.HTTPError(response=answer)):
                    answer.raise_for_status()
                have = _arrived(answer)
            is_known = False  # whatever goes wrong from here on: ask before sending more
            with open(path, "rb") as f:
                f.seek(have)
                headers = {"Content-Range": f"bytes {have}-{size - 1}/{size}"} if have else {}
                answer = session.put(url, data=f if size else b"", headers=headers)
            if answer.status_code in (404, 410):
                return False
            if answer.status_code == 308:
                have, is_known = _arrived(answer), True
                raise requests.ConnectionError("the storage has only a part of the file")
            answer.raise_for_status()
            return True

    before = -1
    while before < have:  # it got on: a long upload over a bad line is not given up
        before = have
        try:
            return retry.read(
                once,
                tries=getattr(client, "tries", 7),
                deadline_s=getattr(client, "deadline_s", 300.0),
            )
        except requests.RequestException as e:
            failure = e
    raise failure


def _arrived(answer: requests.Response) -> int:
    "Return how many bytes the storage says it has."
    span = (
        re.fullmatch(r"(?:bytes=)?0-(\d+)", answer.headers.get("Range", ""))
        if answer.status_code == 308
        else None
    )
    return int(span[1]) + 1 if span else 0
