"""Check before a push that the notebook's inputs can be read: a run without them fails."""

from typing import Any

from ...exceptions import KaggleError, NotFound, PermissionDenied, PushRefused, RulesNotAccepted
from .. import error_rules
from ..datasets.lookup import about, parse_handle
from ..services import about_competition, competition_page
from . import lookup
from .kernel import kernel_of


def check_sources(client: Any, meta: dict[str, Any]) -> None:
    """Raise PushRefused if an input cannot be read; in doubt, Kaggle decides at the push."""
    checks = {"competition": _read_competition, "dataset": _read_dataset, "kernel": _read_kernel}
    problems = []
    for kind, check in checks.items():
        for source in meta[f"{kind}_sources"]:
            try:
                check(client, source)
            except (NotFound, RulesNotAccepted) as e:
                problems.append(f"{kind} {source!r}: {e}")
            except KaggleError:
                continue
    if problems:
        raise PushRefused(
            f"{meta['id']} could not read its inputs. {' '.join(problems)} Nothing was pushed.",
            said="; ".join(problems),
        )


def _read_competition(client: Any, slug: str) -> None:
    if not about_competition(client, slug).call("get_competition").user_has_entered:
        text = error_rules.RULES_NOT_ACCEPTED.format(name=slug, url=competition_page(slug))
        raise RulesNotAccepted(text)


def _read_dataset(client: Any, handle: str) -> None:
    name, number = parse_handle(handle)
    try:
        about(client, name, version=number).call("list_dataset_files", page_size=1)
    except (NotFound, PermissionDenied) as e:
        raise NotFound(
            "there is no such dataset that you may read: the name is mistyped, it is private, or "
            "its version was deleted."
        ) from e


def _read_kernel(client: Any, handle: str) -> None:
    lookup.read_status(client, kernel_of(handle, None, client))
