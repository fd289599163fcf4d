"""Check a SaveKernel request: the fields that a version keeps, its code, and the kernel's name."""

import json
import re
import unicodedata
from typing import Any

from ..rpc import Fields, Refused, Rejected, Row, now
from .mounts import SOURCE_FIELDS
from .store import KernelStore

DENIED = "Permission 'kernels.get' was denied"
_LANGUAGES, _TYPES = ("python", "r", "rmarkdown"), ("script", "notebook")
# The fields that a version keeps, with the values of missing ones.
_KEPT: dict[str, Any] = {
    "language": "python",
    "kernelType": "script",
    "isPrivate": True,
    **dict.fromkeys(("enableGpu", "enableTpu", "enableInternet"), False),
    **{name: [] for name in (*SOURCE_FIELDS.values(), "categoryIds")},
    **dict.fromkeys(("dockerImage", "machineShape", "kernelExecutionType"), ""),
    "sessionTimeoutSeconds": 0,
}


def version_fields(fields: Fields) -> dict[str, Any]:
    """Return the fields that a version keeps. Raises Refused or Rejected."""
    kept = {name: strict(fields, name, default) for name, default in _KEPT.items()}
    if kept["language"] not in _LANGUAGES or kept["kernelType"] not in _TYPES:
        raise Rejected(
            f"language must be one of {', '.join(_LANGUAGES)} and "
            f"kernelType one of {', '.join(_TYPES)}."
        )
    return kept


def source_code(fields: Fields, kernel_type: str) -> str:
    """Return the source code of a request. Raises Rejected."""
    code = fields.text("text")
    if not code:
        raise Rejected("The kernel has no source: text is empty.")
    if kernel_type == "notebook":
        _check_notebook(code)
    return code


def save_name(fields: Fields, store: KernelStore, user: str) -> Row:
    """Create or rename the kernel of a request; the title decides the name. Raises Rejected."""
    title = fields.text("newTitle").strip()
    owner, _, slug = fields.text("slug").rpartition("/")
    owner = owner or user
    if owner != user:
        raise Refused(
            403,
            f"Permission 'kernels.create' was denied: you are {user}, "
            f"and the kernel would belong to {owner}.",
        )
    if title and len(title) < 5:
        raise Rejected("Title must be at least five characters")
    id = strict(fields, "id", 0)
    found = store.by_id(id) if id else store.find(owner, slug or slugify(title))
    if id and found is None:
        raise Refused(403, DENIED)
    name = slugify(title) if title else (found["slug"] if found else slug.lower())
    if not name:
        raise Rejected("The kernel has no name: give it a title or a slug.")
    other = store.find(owner, name)
    if other is not None and (found is None or other["id"] != found["id"]):
        raise Rejected(
            f"The title {title!r} is in use by your kernel {owner}/{name}: "
            "choose another, or push to that one."
        )
    if found is None:
        row = {"owner": owner, "slug": name, "title": title or slug.replace("-", " ").title()}
        return {"id": store.state.insert("kernels", **row, created=now()), **row}
    title = title or found["title"]
    store.state.change("kernels", {"id": found["id"]}, slug=name, title=title)
    return {**found, "slug": name}


def strict(fields: Fields, name: str, default: Any) -> Any:
    """Return a field that must have exactly the type of its default. Raises Refused."""
    value = fields.get(name, default)
    if isinstance(default, str):
        return fields.text(name, default)
    if isinstance(default, list) and isinstance(value, list):
        return fields.texts(name)
    if type(value) is not type(default) or (type(value) is int and not 0 <= value < 1 << 31):
        raise Refused(400, f"{name} = {value!r} is not a value such as {default!r}.")
    return value


def slugify(title: str) -> str:
    """Return the URL name of a title."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")


def _check_notebook(code: str) -> None:
    try:
        for cell in json.loads(code)["cells"]:
            has_source = isinstance(cell["source"], str | list)
            if not has_source or cell["cell_type"] not in ("code", "markdown", "raw"):
                raise ValueError("a cell has no type or no source")
    except (ValueError, KeyError, TypeError) as e:
        raise Rejected(f"The source is not a notebook of format 4: {type(e).__name__}: {e}") from e
