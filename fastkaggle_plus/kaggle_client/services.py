"""Kaggle's services as we call them, and what each can say about a refusal."""

from dataclasses import replace
from difflib import get_close_matches
from typing import Any

import requests

from ..exceptions import (
    DailyLimitReached,
    KaggleError,
    NotFound,
    PermissionDenied,
    RulesNotAccepted,
    did_you_mean,
)
from . import api, error_rules, errors
from .api import Service, Subject
from .http import status_of


def slug_of(competition: Any) -> str:
    """Return the slug of a Competition, a slug, or a competition's address."""
    slug = str(getattr(competition, "slug", competition)).strip().rstrip("/").split("/")[-1]
    if not slug:
        raise NotFound(
            "No competition was named. Give its slug, the last part of its address on kaggle.com."
        )
    return slug


def competition_page(slug: str) -> str:
    """Return a competition's page for people, on kaggle.com even when the API is elsewhere."""
    return f"https://www.kaggle.com/competitions/{slug}"


def dataset_page(
    handle: str,  # owner/slug
) -> str:
    """Return a dataset's page for people."""
    return f"https://www.kaggle.com/datasets/{handle}"


def notebook_page(
    name: str,  # owner/name, more words may follow
) -> str:
    """Return a notebook's page for people."""
    handle = name.split()[0]
    return "https://www.kaggle.com/code" + (f"/{handle}" if "/" in handle else "")


def _competition_details(about: Subject, error: KaggleError, doing: str) -> KaggleError:
    """Add what the service knows: similar names, submissions left, rules accepted or not."""
    if isinstance(error, PermissionDenied) and "competitions.participate" in error.said:
        return _why_not_allowed(about, error)
    if isinstance(error, NotFound) and "no competition" in str(error):
        return errors.extended(error, did_you_mean(_similar_slugs(about)))
    if isinstance(error, DailyLimitReached):
        return errors.extended(error, _submissions_left(about.send("get_submission_limits")))
    if error.status == 400 and doing == "submit to":
        limits = about.send("get_submission_limits")
        if limits.num_allowed_now == 0:
            text = error_rules.DAILY_LIMIT.format(name=about.name, hours=errors.until_midnight())
            return DailyLimitReached(text + _submissions_left(limits), status=400, said=error.said)
    return error


def _why_not_allowed(about: Subject, error: KaggleError) -> KaggleError:
    """Ask Kaggle: its answer is the same for unknown competitions and for rules not accepted."""
    try:
        found = about.send("get_competition")
    except requests.HTTPError as e:
        if status_of(e) not in (403, 404):
            return error
        text = error_rules.NO_COMPETITION.format(name=about.name)
        text += did_you_mean(_similar_slugs(about))
        return NotFound(text, status=error.status, said=error.said)
    if found.user_has_entered:
        return error
    text = error_rules.RULES_NOT_ACCEPTED.format(name=about.name, url=competition_page(about.name))
    return RulesNotAccepted(text, status=error.status, said=error.said)


def _submissions_left(limits: Any) -> str:
    text = (
        f" You sent {limits.num_today} today and {limits.num_total} in total; "
        f"{limits.num_allowed_now} allowed now."
    )
    if limits.limited_by_total:
        text += " The limit is on the whole competition, so it does not reset."
    return text


def _similar_slugs(about: Subject) -> list[str]:
    """Return slugs similar to this one, from the service's search."""
    slug, found = about.name, set[str]()
    for words in (slug.replace("-", " "), slug[:4], ""):
        search = {"search": words} if words else {}
        answer = replace(about, fields={}).send("list_competitions", page=1, **search)
        found |= {slug_of(c.ref) for c in answer.competitions if c.ref}
        if near := get_close_matches(slug, sorted(found), n=3, cutoff=0.6):
            return near
    return []


def _kernel_details(about: Subject, error: KaggleError, doing: str) -> KaggleError:
    """Add names of the owner's notebooks that are similar to the one that was not found."""
    from kagglesdk.kernels.types.kernels_enums import KernelsListViewType

    handle = about.name.split()[0]
    if "/" not in handle or not isinstance(error, NotFound) or "no notebook" not in str(error):
        return error
    owner = handle.split("/")[0]
    request: dict[str, Any] = {"group": KernelsListViewType.EVERYONE, "user": owner}
    if owner == api.user_of(about.client):
        request = {"group": KernelsListViewType.PROFILE}
    everything = replace(about, fields={})
    answer = everything.send("list_kernels", page=1, page_size=api.PAGE_SIZE, **request)
    near = get_close_matches(handle, [k.ref for k in answer.kernels if k.ref], n=3, cutoff=0.6)
    return error if handle in near else errors.extended(error, did_you_mean(near))


LOGIN = Service("", "", error_rules.ANY_SERVICE, lambda name: error_rules.SETTINGS)
COMPETITIONS = Service(
    "competitions.competition_api_client",
    "competitions.types.competition_api_service",
    error_rules.COMPETITION,
    competition_page,
    _competition_details,
)
CODE_SUBMISSIONS = replace(COMPETITIONS, rules=error_rules.CODE_SUBMISSION)
DATASETS = Service(
    "datasets.dataset_api_client",
    "datasets.types.dataset_api_service",
    error_rules.DATASET,
    dataset_page,
)
BLOBS = replace(DATASETS, client="blobs.blob_api_client", types="blobs.types.blob_api_service")
KERNELS = Service(
    "kernels.kernels_api_client",
    "kernels.types.kernels_api_service",
    error_rules.KERNEL,
    notebook_page,
    _kernel_details,
)


def about_competition(client: Any, slug: str) -> Subject:
    """Return the subject for calls about one competition."""
    return Subject(client, COMPETITIONS, slug, {"competition_name": slug})
