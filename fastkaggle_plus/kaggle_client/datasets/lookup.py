"""What Kaggle tells about a dataset: whether it is there, its versions, files and status."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

from ...exceptions import DatasetFailed, KaggleUnavailable, NotFound, PermissionDenied, RateLimited
from .. import api as service
from .. import retry
from .error_rules import CAUSES, url_of

SETTLED = ("READY", "FAILED", "DELETED")
_API = "datasets.dataset_api_client"


def parse_handle(
    dataset: str,  # owner/slug, with a version as owner/slug/3 or owner/slug/versions/3, or the dataset's address
) -> tuple[str, int | None]:
    "Return (owner/slug, version or None)."
    text = re.sub(r"^(https?://)?(www\.)?kaggle\.com/(datasets/)?", "", str(dataset).strip()).strip(
        "/"
    )
    match = re.fullmatch(r"([^/\s?#]+/[^/\s?#]+?)(?:/(?:versions/)?(\d+))?", text)
    if not match:
        raise NotFound(
            f"{dataset!r} names no dataset. Write OWNER/SLUG, as in its address: kaggle.com/datasets/OWNER/SLUG."
        )
    return match[1], int(match[2]) if match[2] else None


def about(request_type: Any, handle: str, *, version: int | None = None) -> Any:
    "Return a request about one dataset."
    request = request_type()
    request.owner_slug, request.dataset_slug = handle.split("/")
    if version:
        request.dataset_version_number = version
    return request


def find(client: Any, handle: str) -> Any:
    """Return the dataset, None if there is none. Raises where that cannot be told.

    Kaggle answers 403 for what is not there as for what you may not read. Of your own datasets it lists all, so there the list decides.
    """
    from kagglesdk.datasets.types.dataset_api_service import ApiGetDatasetRequest

    try:
        return read(
            client, "get_dataset", about(ApiGetDatasetRequest, handle), handle=handle, doing="read"
        )
    except NotFound as e:
        if e.status == 404 or (
            _is_mine(client, handle) and handle.lower() not in _mine(client, handle)
        ):
            return None
        raise PermissionDenied(
            f"Kaggle does not say whether {handle} exists: it is not there, or it is private and not yours.",
            status=e.status,
            said=e.said,
        ) from None


def files_of(client: Any, handle: str, *, version: int | None = None) -> dict[str, int]:
    "Return path -> bytes of every file of a version, all pages; None = the current one."
    from kagglesdk.datasets.types.dataset_api_service import ApiListDatasetFilesRequest

    request = about(ApiListDatasetFilesRequest, handle, version=version)
    return {
        f.name: f.total_bytes
        for f in _pages(
            client,
            "list_dataset_files",
            request,
            "dataset_files",
            handle=handle,
            doing="list the files of",
        )
    }


def status_of(client: Any, handle: str) -> str:
    "Return how far the processing of the latest version is: READY, FAILED, ..."
    from kagglesdk.datasets.types.dataset_api_service import ApiGetDatasetStatusRequest

    answer = read(
        client,
        "get_dataset_status",
        about(ApiGetDatasetStatusRequest, handle),
        handle=handle,
        doing="read the status of",
    )
    return str(answer.status.name)


def wait_settled(
    client: Any,
    handle: str,
    *,
    ends: float,  # time.monotonic() of the deadline
    poll_s: float,  # longest pause between looks
    after: int = 0,  # a version above this is awaited
) -> tuple[str, int]:
    "Return (status, current version) once it is READY with a version above `after`, or FAILED; as it is when the time is over."
    pause = min(poll_s, 0.5)
    status, version = "NOT_YET_PERSISTED", 0
    while True:
        try:
            status = status_of(client, handle)
            if status in SETTLED:
                version = getattr(find(client, handle), "current_version_number", 0) or 0
                if version > after or status != "READY":
                    return status, version
        except (
            KaggleUnavailable,
            RateLimited,
            NotFound,
        ):  # what was just made may not be seen everywhere yet
            if time.monotonic() >= ends:
                raise
        left = ends - time.monotonic()
        if left <= 0:
            return (status if status not in SETTLED else "NOT_YET_PERSISTED"), version
        time.sleep(min(pause, left))
        pause = min(poll_s, pause * 1.5)


def still_processing(handle: str, status: str, timeout_s: float) -> DatasetFailed:
    "Return the exception for a deadline that passed."
    return DatasetFailed(
        f"Kaggle is still processing {handle} after {timeout_s:.0f} s (status {status}). Nothing is lost and nothing needs to be "
        f"sent again: call again to wait on, or look at {url_of(handle)}."
    )


def read(
    client: Any, method: str, request: Any, *, handle: str, doing: str, api: str = _API
) -> Any:
    "Return the answer to a call that changes nothing, retried while its failure passes."
    with explained(client, handle, doing):
        return retry.read(
            lambda: send(client, method, request, api=api),
            tries=getattr(client, "tries", 7),
            deadline_s=getattr(client, "deadline_s", 300.0),
        )


def send(client: Any, method: str, request: Any, *, api: str = _API) -> Any:
    "Return the answer to one call, made once; failures come as they are."
    return service.send(client, method, request, api=api)


def explained(client: Any, handle: str, doing: str) -> AbstractContextManager[None]:
    "Turn what requests and kaggle raise into our exceptions, in the words of datasets."
    return service.explained(
        client,
        slug=handle,
        doing=doing,
        causes=CAUSES,
        url=url_of(handle),
        facts=lambda client, error, *_: error,
    )


def user_of(client: Any) -> str:
    "Return the user's name, as in the handles of the user's datasets."
    return str(client.config_values.get("username") or "")


def _is_mine(client: Any, handle: str) -> bool:
    return handle.split("/")[0].lower() == user_of(client).lower()


def _mine(client: Any, handle: str) -> set[str]:
    from kagglesdk.datasets.types.dataset_api_service import ApiListDatasetsRequest
    from kagglesdk.datasets.types.dataset_enums import DatasetSelectionGroup

    request = ApiListDatasetsRequest()
    request.group = DatasetSelectionGroup.DATASET_SELECTION_GROUP_MY
    return {
        d.ref.lower()
        for d in _pages(
            client,
            "list_datasets",
            request,
            "datasets",
            handle=handle,
            doing="list your datasets beside",
        )
    }


def _pages(
    client: Any, method: str, request: Any, field: str, *, handle: str, doing: str
) -> Iterator[Any]:
    "Yield the items of every page."
    request.page_size, seen = service.PAGE_SIZE, set[str]()
    while True:
        answer = read(client, method, request, handle=handle, doing=doing)
        yield from getattr(answer, field) or []
        token = answer.next_page_token
        if not token or token in seen:
            return
        seen.add(token)
        request.page_token = token
