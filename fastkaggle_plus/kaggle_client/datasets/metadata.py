"""Read, write and check dataset-metadata.json."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...exceptions import DataError
from ...files import write_atomically

METADATA = "dataset-metadata.json"
DEFAULT_LICENSE = "CC0-1.0"  # as in fastkaggle


@dataclass(frozen=True)
class Metadata:
    """The fields of dataset-metadata.json."""

    handle: str  # owner/slug
    title: str
    license: str = DEFAULT_LICENSE
    subtitle: str = ""
    description: str = ""
    keywords: tuple[str, ...] = ()
    is_private: bool = True


def slugify(title: str) -> str:
    """Return the slug Kaggle makes of `title`."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def check_names(title: str, slug: str) -> None:
    """Raise DataError unless Kaggle can take this title and slug."""
    for what, name in (("title", title), ("slug", slug)):
        if not 6 <= len(name) <= 50:
            raise DataError(
                f"The {what} of a dataset has 6 to 50 characters; {name!r} has {len(name)}. "
                "Nothing was sent: choose another title."
            )
    if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?", slug):
        raise DataError(f"A slug has letters, digits and dashes, got {slug!r}. Nothing was sent.")


def write_metadata(folder: Path, meta: Metadata, *, others: dict[str, Any] | None = None) -> None:
    """Write dataset-metadata.json as `kaggle datasets create`, `version` and `metadata` read it."""
    fields = {
        **(others or {}),
        "title": meta.title,
        "id": meta.handle,
        "licenses": [{"name": meta.license}],
        "isPrivate": meta.is_private,
    }
    optional = {
        "subtitle": meta.subtitle,
        "description": meta.description,
        "keywords": list(meta.keywords),
    }
    fields |= {k: v for k, v in optional.items() if v}
    write_atomically(folder / METADATA, json.dumps(fields, indent=2))


def read_metadata(folder: Path) -> Metadata:
    """Return the metadata file in `folder`; `kaggle datasets metadata` may have written it."""
    file = folder / METADATA
    if not file.is_file():
        raise DataError(
            f"{folder} has no {METADATA}. Make the dataset with mk_dataset, or download it with "
            "get_dataset."
        )
    try:
        fields: Any = json.loads(file.read_text(encoding="utf-8"))
        fields = {**fields, **(fields.get("info") or {})}
        owner, slug = fields.get("ownerUser"), fields.get("datasetSlug")
        handle = fields.get("id") or (f"{owner}/{slug}" if owner and slug else "")
        licenses = [one["name"] for one in fields.get("licenses") or [] if one.get("name")]
        meta = Metadata(
            str(handle),
            str(fields.get("title") or ""),
            licenses[0] if licenses else DEFAULT_LICENSE,
            fields.get("subtitle") or "",
            fields.get("description") or "",
            tuple(fields.get("keywords") or ()),
            bool(fields.get("isPrivate", True)),
        )
    except (ValueError, TypeError, AttributeError, KeyError) as e:
        raise DataError(
            f"{file} does not read as a dataset's metadata: {e}. Write it again with "
            "mk_dataset(..., upload=False, force=True)."
        ) from e
    if not re.fullmatch(r"[^/\s]+/[^/\s]+", meta.handle) or "INSERT_" in meta.handle + meta.title:
        raise DataError(
            f'{file} names no dataset: expected OWNER/SLUG as "id", got {meta.handle!r}; the title '
            f"is {meta.title!r}."
        )
    if meta.subtitle and not 20 <= len(meta.subtitle) <= 80:
        raise DataError(
            f"A subtitle has 20 to 80 characters; that in {file} has {len(meta.subtitle)}."
        )
    slug = meta.handle.split("/")[1]
    check_names(meta.title or slug, slug)
    return meta
