"""The marker in a data folder that says it is complete: its files, their source and date."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .. import files as safe_files
from ..exceptions import KaggleError

NAME = ".fkp-complete.json"


def write(
    folder: Path,
    slug: str,
    *,
    origin: str,  # "sandbox" or the endpoint
    files: dict[str, int],  # path in the folder -> bytes
    md5: str = "",  # of the zip; "" = the folder was found complete
) -> None:
    """Mark `folder` complete."""
    marker = {
        "slug": slug,
        "origin": origin,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "md5": md5,
        "files": files,
    }
    safe_files.write_atomically(folder / NAME, json.dumps(marker, indent=1))


def is_complete(folder: Path, slug: str, *, origin: str) -> bool:
    """Say whether `folder` is marked complete and its files have the marked sizes."""
    try:
        marker: Any = json.loads((folder / NAME).read_text(encoding="utf-8"))
        slug_there, origin_there, files = marker["slug"], marker["origin"], dict(marker["files"])
    except (OSError, ValueError, KeyError, TypeError):
        return False
    if (slug_there, origin_there) != (slug, origin):
        raise KaggleError(
            f"{folder} has the data of {slug_there!r} from {origin_there}; expected {slug!r} from "
            f"{origin}. Give setup_comp another `dest`, or move that folder away."
        )
    return has_files(folder, files)


def has_files(folder: Path, files: dict[str, int]) -> bool:
    """Say whether every one of `files` is in `folder` with its size."""
    paths = {folder / name: size for name, size in files.items()}
    return bool(paths) and all(p.is_file() and p.stat().st_size == s for p, s in paths.items())


def files_in(folder: Path) -> dict[str, int]:
    """Return path -> bytes of all files under `folder`, without the marker."""
    return {
        p.relative_to(folder).as_posix(): p.stat().st_size
        for p in sorted(folder.rglob("*"))
        if p.is_file() and p.name not in (NAME, "cleaning.csv")  # the user edits the second one
    }
