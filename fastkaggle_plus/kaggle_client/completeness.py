"""The note inside a data folder that says it is complete: what it holds, from where, since when."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

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
    "Mark `folder` complete."
    note = {
        "slug": slug,
        "origin": origin,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "md5": md5,
        "files": files,
    }
    part = folder / (NAME + ".part")
    part.write_text(json.dumps(note, indent=1), encoding="utf-8")
    part.replace(folder / NAME)


def is_complete(folder: Path, slug: str, *, origin: str) -> bool:
    "Say whether `folder` is marked complete and its files still have their sizes; raise if it holds other data than asked for."
    try:
        note: Any = json.loads((folder / NAME).read_text(encoding="utf-8"))
        slug_there, origin_there, files = note["slug"], note["origin"], dict(note["files"])
    except (OSError, ValueError, KeyError, TypeError):
        return False
    if (slug_there, origin_there) != (slug, origin):
        raise KaggleError(
            f"{folder} holds {slug_there!r} from {origin_there}, and {slug!r} from {origin} is wanted. "
            "Give setup_comp another `dest`, or move that folder away."
        )
    return fits(folder, files)


def fits(folder: Path, files: dict[str, int]) -> bool:
    "Say whether every one of `files` is in `folder` with its size."
    return bool(files) and all(_size(folder / name) == size for name, size in files.items())


def files_in(folder: Path) -> dict[str, int]:
    "Return path -> bytes of all files under `folder`, the marker left out."
    return {
        p.relative_to(folder).as_posix(): p.stat().st_size
        for p in sorted(folder.rglob("*"))
        if p.is_file() and p.name not in (NAME, "cleaning.csv")  # the user edits the second one
    }


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1
