"""Check before a push that the notebook's inputs can be read: a run without them fails."""

from collections.abc import Callable
from typing import Any

from ...exceptions import KaggleError, NotFound, PermissionDenied, PushRefused
from .. import error_rules
from ..datasets.lookup import about, parse_handle
from ..services import about_competition, competition_page
from . import lookup
from .kernel import kernel_of


def check_sources(client: Any, meta: dict[str, Any]) -> None:
    """Raise PushRefused if an input cannot be read; in doubt, Kaggle decides at the push."""
    checks: dict[str, Callable[[Any, str], str]] = {
        "competition": _competition_problem,
        "dataset": _dataset_problem,
        "kernel": _kernel_problem,
    }
    problems = []
    for kind, check in checks.items():
        for source in meta[f"{kind}_sources"]:
            try:
                problem = check(client, source)
            except KaggleError:
                continue
            if problem:
                problems.append(f"{kind} {source!r}: {problem}")
    if problems:
        raise PushRefused(
            f"{meta['id']} could not read its inputs. {' '.join(problems)} Nothing was pushed.",
            said="; ".join(problems),
        )


def _competition_problem(client: Any, slug: str) -> str:
    try:
        found = about_competition(client, slug).call("get_competition")
    except NotFound as e:
        return str(e)
    if found.user_has_entered:
        return ""
    return error_rules.RULES_NOT_ACCEPTED.format(name=slug, url=competition_page(slug))


def _dataset_problem(client: Any, handle: str) -> str:
    name, number = parse_handle(handle)
    try:
        about(client, name, version=number).call("list_dataset_files", page_size=1)
    except (NotFound, PermissionDenied):
        return (
            "there is no such dataset that you may read: the name is mistyped, it is private, or "
            "its version was deleted."
        )
    return ""


def _kernel_problem(client: Any, handle: str) -> str:
    try:
        lookup.read_status(client, kernel_of(handle, None, client))
    except NotFound as e:
        return str(e)
    return ""
