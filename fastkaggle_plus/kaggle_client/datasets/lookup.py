"""Read what Kaggle knows about a dataset: whether it exists, its metadata, files and status."""

import re
from typing import Any

from ...exceptions import DatasetFailed, KaggleUnavailable, NotFound, PermissionDenied, RateLimited
from .. import api
from ..api import Subject
from ..polling import poll_until
from ..services import DATASETS, dataset_page
from .metadata import DEFAULT_LICENSE, Metadata

FINAL = ("READY", "FAILED", "DELETED")


def parse_handle(
    dataset: str,  # owner/slug[/3], owner/slug/versions/3, or the dataset's address
) -> tuple[str, int | None]:
    """Return (owner/slug, version or None)."""
    path = re.sub(r"^(https?://)?(www\.)?kaggle\.com/(datasets/)?", "", str(dataset).strip())
    match = re.fullmatch(r"([^/\s?#]+/[^/\s?#]+?)(?:/(?:versions/)?(\d+))?", path.strip("/"))
    if not match:
        raise NotFound(
            f"{dataset!r} names no dataset. Write OWNER/SLUG, as in its address: "
            "kaggle.com/datasets/OWNER/SLUG."
        )
    return match[1], int(match[2]) if match[2] else None


def about(client: Any, handle: str, *, version: int | None = None) -> Subject:
    """Return the subject for calls about one dataset, or one version of it."""
    owner, slug = handle.split("/")
    fields: dict[str, Any] = {"owner_slug": owner, "dataset_slug": slug}
    if version:
        fields["dataset_version_number"] = version
    return Subject(client, DATASETS, handle, fields)


def find_dataset(client: Any, handle: str) -> Any:
    """Return the dataset, None if there is none. Raises if Kaggle does not say.

    Kaggle answers 403 both for a missing dataset and for one that you may not read. It lists all
    of your own datasets, so for those the list decides.
    """
    try:
        return about(client, handle).call("get_dataset")
    except NotFound as e:
        is_mine = handle.split("/")[0].lower() == api.user_of(client).lower()
        if e.status == 404 or (is_mine and handle.lower() not in _own_handles(client, handle)):
            return None
        raise PermissionDenied(
            f"Kaggle does not say whether {handle} exists: it is missing, or it is private and not "
            "yours.",
            status=e.status,
            said=e.said,
        ) from None


def list_files(client: Any, handle: str, *, version: int | None = None) -> dict[str, int]:
    """Return path -> bytes of every file of a version; None = the current one."""
    dataset = about(client, handle, version=version)
    answers = dataset.pages("list_dataset_files", doing="list the files of")
    return {f.name: f.total_bytes for answer in answers for f in answer.dataset_files or []}


def read_metadata(client: Any, handle: str) -> tuple[Metadata, dict[str, Any]]:
    """Return the metadata, and fields that only `kaggle datasets metadata --update` uses."""
    answer = about(client, handle).call("get_dataset_metadata", doing="read the metadata of")
    info = answer.info
    licenses = [one.name for one in info.licenses or [] if one.name]
    meta = Metadata(
        handle,
        info.title or handle.split("/")[1],
        licenses[0] if licenses else DEFAULT_LICENSE,
        info.subtitle or "",
        info.description or "",
        tuple(info.keywords or ()),
        bool(info.is_private),
    )
    others = {
        "expectedUpdateFrequency": info.expected_update_frequency,
        "userSpecifiedSources": info.user_specified_sources,
    }
    return meta, {k: v for k, v in others.items() if v}


def wait_final(
    client: Any,
    handle: str,
    *,
    timeout_s: float,
    poll_s: float,  # longest pause between polls
    after: int = 0,  # wait for a version above this
) -> tuple[str, int]:
    """Return (status, current version) once a version above `after` is READY, or failed.

    After `timeout_s`, return its status so far; that is not one of FINAL.
    """

    def read() -> tuple[str, int]:
        answer = about(client, handle).call("get_dataset_status", doing="read the status of")
        status = str(answer.status.name)
        if status not in FINAL:
            return status, 0
        version = getattr(find_dataset(client, handle), "current_version_number", 0) or 0
        # READY may still be about the version before.
        return (status if version > after or status != "READY" else "NOT_YET_PERSISTED"), version

    return poll_until(
        read,
        lambda result: result[0] in FINAL,
        poll_s=poll_s,
        timeout_s=timeout_s,
        # A new dataset may not be visible everywhere yet.
        ignore=(KaggleUnavailable, RateLimited, NotFound),
    )


def require_final(
    client: Any, handle: str, *, timeout_s: float, poll_s: float, after: int = 0
) -> tuple[str, int]:
    """Return (final status, current version) as wait_final. Raises DatasetFailed at the timeout."""
    status, version = wait_final(client, handle, timeout_s=timeout_s, poll_s=poll_s, after=after)
    if status not in FINAL:
        raise DatasetFailed(
            f"Kaggle is still processing {handle} after {timeout_s:.0f} s (status {status}). "
            "Nothing is lost and nothing has to be sent again: call again to wait longer, or look "
            f"at {dataset_page(handle)}."
        )
    return status, version


def _own_handles(client: Any, handle: str) -> set[str]:
    from kagglesdk.datasets.types.dataset_enums import DatasetSelectionGroup

    fields = {"group": DatasetSelectionGroup.DATASET_SELECTION_GROUP_MY}
    answers = Subject(client, DATASETS, handle, fields).pages(
        "list_datasets", doing="list your datasets to find"
    )
    return {d.ref.lower() for answer in answers for d in answer.datasets or []}
