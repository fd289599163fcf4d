"""Decide which upload becomes which file of a version, and write the files."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from .archives import BadArchive, is_archive, unpack, unpacked_name
from .rpc import Fields, Rejected, Row
from .state import State

_WHOLE = "archive.zip"  # kagglehub packs a folder of many files under this name
_MAX_DEPTH = 40  # of folders in folders


def plan_files(
    state: State,
    files: Fields,  # with `files` and `directories`
) -> list[Row]:
    """Return path, token, description and columns of each file of a request. Raises Rejected."""
    plan: dict[str, Row] = {}
    tokens: set[str] = set()
    for at, file in _walk(files, "", 0):
        token = file.text("token")
        upload = state.upload(token)
        if upload is None or not upload["done"] or upload["purpose"]:
            raise Rejected(
                "A file's token is unknown, or its upload is not complete. Upload the file again."
            )
        path = at + _checked_name(upload["file_name"])
        if upload["used"] or token in tokens:
            raise Rejected(f"The upload of {path} was used before. Upload the file again.")
        if path in plan:
            raise Rejected(f"Two files are called {path}.")
        tokens.add(token)
        plan[path] = {
            "path": path,
            "token": token,
            "description": file.text("description"),
            "columns": file.get("columns") or [],
        }
    if not plan:
        raise Rejected("There are no files. Upload at least one.")
    return list(plan.values())


def write_files(state: State, plan: list[Row], root: Path) -> None:
    """Write the planned files into a folder; archives are unpacked. Raises BadArchive."""
    is_whole = len(plan) == 1 and plan[0]["path"] == _WHOLE
    for entry in plan:
        blob, file = state.blob(entry["token"]), root / entry["path"]
        if is_archive(file.name, blob):
            unpack(blob, root if is_whole else file.with_name(unpacked_name(file.name)))
            continue
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.exists():
            raise BadArchive(f"Two files are called {entry['path']}.")
        try:
            os.link(blob, file)
        except OSError:  # a file system without links
            shutil.copyfile(blob, file)


def _walk(folder: Fields, at: str, depth: int) -> Iterator[tuple[str, Fields]]:
    """Yield (folder path, file) for each file of a request."""
    if depth > _MAX_DEPTH:
        raise Rejected(f"The folders are nested more than {_MAX_DEPTH} deep.")
    for file in folder.get("files") or []:
        yield at, Fields(file)
    for inner in folder.get("directories") or []:
        name = _checked_name(Fields(inner).text("name"))
        yield from _walk(Fields(inner), f"{at}{name}/", depth + 1)


def _checked_name(name: str) -> str:
    """Return a file or folder name that cannot lead out of its folder. Raises Rejected."""
    is_odd = name in ("", ".", "..") or any(c in name for c in "/\\\0")
    if is_odd or len(name.encode()) > 255:
        raise Rejected(f"{name!r} cannot be the name of a file or folder.")
    return name
