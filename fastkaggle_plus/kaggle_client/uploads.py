"""Bring a file to Kaggle's storage. Safe to repeat: nothing counts as submitted before CreateSubmission."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import requests

from ..exceptions import UploadFailed
from . import messages, retry, service


def upload(
    client: Any,
    path: Path,
    *,
    slug: str,
    tries: int = 3,  # upload sessions; each one's PUT is retried by itself
) -> str:
    "Upload `path` for a submission to `slug` and return the token that stands for it."
    from kagglesdk.competitions.types.competition_api_service import ApiStartSubmissionUploadRequest

    about = path.stat()
    for _ in range(tries):
        request = ApiStartSubmissionUploadRequest()
        request.competition_name, request.file_name, request.content_length = slug, path.name, about.st_size
        request.last_modified_epoch_seconds = int(about.st_mtime)
        slot = service.read(client, "start_submission_upload", request, slug=slug, doing="submit to")
        if _put(client, path, slot.create_url):
            return slot.token
    raise UploadFailed(f"Kaggle dropped the upload of {path.name} {tries} times before it was complete. Try again in some minutes; "
                       "nothing was submitted.")


def _put(client: Any, path: Path, url: str) -> bool:
    "Send the bytes; return False if the upload session is gone."
    def once() -> bool:
        with service.transfers(client) as session, open(path, "rb") as f:
            answer = session.put(url, data=f)
            if answer.status_code in (404, 410):
                return False
            if answer.status_code == 308:
                raise requests.ConnectionError("the storage has only a part of the file")
            answer.raise_for_status()
            return True

    try:
        return retry.read(once, tries=getattr(client, "tries", 7), deadline_s=getattr(client, "deadline_s", 300.0))
    except requests.RequestException as e:
        status = retry.status_of(e)
        why = f"the storage answered {status}" if status else f"the connection failed ({type(e).__name__})"
        raise UploadFailed(f"{path.name} ({path.stat().st_size / 1e6:.1f} MB) did not reach Kaggle: {why}. Check the network and call "
                           "submit again; nothing was submitted.", status=status, said=messages.said(e)) from None
