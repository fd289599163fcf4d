"""Complete competitions and trial names for the shell. Unknown words complete to nothing."""

import ast
import contextlib
from pathlib import Path
from typing import Any

from ..exceptions import FastkaggleError


def complete_slugs(incomplete: str) -> list[str]:
    """Return the competitions found here that begin with `incomplete`."""
    from ..competition import known_slugs

    return [slug for slug in known_slugs() if slug.startswith(incomplete)]


def complete_places(incomplete: str) -> list[str]:
    """Return the places where a sweep can run."""
    from ..sweeps.engines import engine_names

    return _matching(engine_names(), incomplete)


def complete_lessons(incomplete: str) -> list[str]:
    """Return the names of the course's lessons."""
    from ..notebooks import all_lessons

    return _matching([lesson.name for lesson in all_lessons()], incomplete)


def complete_declared(ctx: Any, incomplete: str) -> list[str]:
    """Return the trials in the competition's trials.py, which is read but not run."""
    from ..competition import load_comp

    names: list[str] = []
    with contextlib.suppress(FastkaggleError, OSError, SyntaxError):
        folder = load_comp(_slug(ctx)).folder or Path()
        for node in ast.walk(ast.parse((folder / "trials.py").read_text(encoding="utf-8"))):
            called = getattr(node.func, "id", "") if isinstance(node, ast.Call) else ""
            if isinstance(node, ast.Call) and called in ("Trial", "experiment"):
                given = [k.value for k in node.keywords if k.arg == "name"]
                given += node.args[:1] if called == "Trial" else []
                names += [str(n.value) for n in given if isinstance(n, ast.Constant)]
    return _matching(names, incomplete)


def complete_measured(ctx: Any, incomplete: str) -> list[str]:
    """Return the trials in the vault of the competition's runs."""
    from ..sweeps.vault import Vault, output_folder

    slug = Path(_slug(ctx)).name
    folder = output_folder(slug, ctx.params.get("dest"), live=bool(ctx.params.get("live")))
    if not (slug and (folder / "vault").is_dir()):
        return []
    return _matching([run.trial for run in Vault(folder / "vault").runs(slug)], incomplete)


def _slug(ctx: Any) -> str:
    return str(ctx.params.get("slug") or "")


def _matching(names: list[str], incomplete: str) -> list[str]:
    return [name for name in dict.fromkeys(names) if name.startswith(incomplete)]
