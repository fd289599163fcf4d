"""Whether the inputs of a notebook can be read, asked before it is pushed: without them its run would cost a session for nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import requests

from ...exceptions import KaggleError, NotFound, PushRefused
from .. import api, errors, retry
from . import lookup, status


def refuse_absent(client: Any, meta: dict[str, Any]) -> None:
    "Raise PushRefused if an input is certainly not there for this user; where the service does not say, the push itself tells."
    checks: dict[str, Callable[[Any, str], str]] = {
        "competition": _competition,
        "dataset": _dataset,
        "kernel": _kernel,
    }
    reasons = []
    for kind, check in checks.items():
        for source in meta[f"{kind}_sources"]:
            try:
                reason = check(client, source)
            except KaggleError:
                continue
            if reason:
                reasons.append(f"{kind} {source!r}: {reason}")
    if reasons:
        raise PushRefused(
            f"{meta['id']} could not read what it needs. {' '.join(reasons)} Nothing was pushed.",
            said="; ".join(reasons),
        )


def _competition(client: Any, slug: str) -> str:
    from kagglesdk.competitions.types.competition_api_service import ApiGetCompetitionRequest

    request = ApiGetCompetitionRequest()
    request.competition_name = slug
    try:
        found = api.read(client, "get_competition", request, slug=slug)
    except NotFound as e:
        return str(e)
    return "" if found.user_has_entered else errors.RULES.format(slug=slug, url=errors.page(slug))


def _dataset(client: Any, handle: str) -> str:
    from kagglesdk.datasets.types.dataset_api_service import ApiListDatasetFilesRequest

    owner, slug, *version = handle.split("/")
    request = ApiListDatasetFilesRequest()
    request.owner_slug, request.dataset_slug, request.page_size = owner, slug, 1
    if version:
        request.dataset_version_number = int(version[0])

    def once() -> Any:
        return api.send(client, "list_dataset_files", request, api="datasets.dataset_api_client")

    try:
        retry.read(
            once, tries=getattr(client, "tries", 7), deadline_s=getattr(client, "deadline_s", 300.0)
        )
    except (requests.RequestException, ValueError, TypeError, KeyError, AttributeError) as e:
        is_absent = retry.status_of(e) in (403, 404)
        return (
            "there is no such dataset that you may read: mistyped, private to somebody else, or its version is gone."
            if is_absent
            else ""
        )
    return ""


def _kernel(client: Any, handle: str) -> str:
    kernel = lookup.kernel_of(handle, None, client)
    try:
        status.status_of(client, kernel)
    except NotFound as e:
        return str(e)
    return ""
