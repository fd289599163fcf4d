"""Check that the required libraries, and the extras of the user's competitions, are installed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from packaging.requirements import Requirement

from ..competition import Competition
from .health import HealthCheck

_PACKAGE = "fastkaggle_plus"
_ALWAYS = ("sandbox", "notebooks")  # every rehearsal, every push
_BY_KIND = {"tabular": "tabular", "images": "vision", "text": "text"}
_BY_TRIALS = {
    "boost": re.compile("catboost|lightgbm|xgboost|boosting"),
    "nets": re.compile("tabm"),
    "search": re.compile(r"\bSearch\("),
}


def check_libraries() -> list[HealthCheck]:
    """Check fastkaggle_plus itself and everything that it always needs."""
    try:
        own = version(_PACKAGE)
    except PackageNotFoundError:
        return [
            HealthCheck(
                "libraries",
                f"{_PACKAGE} is not installed, it only runs from this folder",
                "problem",
                "pip install '.[all]' in the checkout",
            )
        ]
    needed = required_packages()
    problems = {r.name: why for r in needed if (why := _why_not(r))}
    shown = {_PACKAGE: own} | {n: version(n) for n in ("kaggle", "fastkaggle") if n not in problems}
    detail = ", ".join(f"{name} {number}" for name, number in shown.items())
    found = [HealthCheck("libraries", f"{detail}; {len(needed)} needed")]
    for requirement in needed:
        if requirement.name in problems:
            install = f"pip install '{requirement.name}{requirement.specifier}'"
            why = problems[requirement.name]
            found.append(HealthCheck(requirement.name, why, "problem", install))
    return found


def check_extras(comps: Sequence[Competition]) -> list[HealthCheck]:
    """Check the extras that these competitions use; others are only listed."""
    users: dict[str, list[str]] = {extra: [] for extra in _ALWAYS}
    for comp in comps:
        users.setdefault(_BY_KIND[comp.kind], []).append(comp.slug)
        trials = comp.folder and comp.folder / "trials.py"
        declared = trials.read_text("utf-8") if trials and trials.exists() else ""
        for extra, words in _BY_TRIALS.items():
            if words.search(declared):
                users.setdefault(extra, []).append(comp.slug)
    found = []
    for extra, slugs in users.items():
        problems = [why for r in required_packages(extra) if (why := _why_not(r))]
        reason = f"for {', '.join(slugs)}" if slugs else "for rehearsals and notebooks"
        if problems:
            install = f"pip install '{_PACKAGE}[{extra}]'"
            detail = f"{'; '.join(problems)} ({reason})"
            found.append(HealthCheck(f"extra {extra}", detail, "warning", install))
        else:
            found.append(HealthCheck(f"extra {extra}", f"installed, {reason}"))
    return found


def used_competitions(comps: Sequence[Competition], builtin: Path) -> list[Competition]:
    """Return the user's own competitions, and the built-in ones that were run here."""
    return [c for c in comps if c.folder and (c.folder.parent != builtin or _was_run(c.slug))]


def _was_run(slug: str) -> bool:
    return (Path("runs") / slug).is_dir()


def required_packages(extra: str = "") -> list[Requirement]:
    """Return what an extra needs; "" for what is always needed."""
    try:
        all_of_them = map(Requirement, requires(_PACKAGE) or ())
    except PackageNotFoundError:
        return []
    return [r for r in all_of_them if _is_for(r, extra)]


def _is_for(requirement: Requirement, extra: str) -> bool:
    marker = requirement.marker
    if not extra:
        return marker is None or marker.evaluate({"extra": ""})
    return (
        marker is not None
        and marker.evaluate({"extra": extra})
        and not marker.evaluate({"extra": ""})
    )


def _why_not(requirement: Requirement) -> str:
    """Return why a requirement is not met, "" if it is."""
    try:
        found = version(requirement.name)
    except PackageNotFoundError:
        return f"{requirement.name} is not installed"
    if requirement.specifier.contains(found, prereleases=True):
        return ""
    return f"{requirement.name}: expected {requirement.specifier}, got {found}"
