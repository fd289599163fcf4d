"""File listings in Kaggle's form: a folder as a tree, and the number of files by extension."""

from collections.abc import Mapping
from pathlib import Path

from .rpc import Fields, Refused, Row, modified, page


def list_folder(files: Mapping[str, Path], fields: Fields, *, must_exist: str = "") -> Row:
    """Return one page of the folder that the request names: its folders first, then its files.

    `must_exist` names the dataset, for the refusal of a folder that is not in it.
    """
    at = fields.text("path").strip("/")
    inside = {n.removeprefix(f"{at}/"): p for n, p in files.items() if n.startswith(f"{at}/")}
    if not at:
        inside = dict(files)
    elif not inside and must_exist:
        raise Refused(404, f"Folder {at!r} was not found in {must_exist}.")
    in_folders: dict[str, list[str]] = {}
    for folder, _, rest in (name.partition("/") for name in inside if "/" in name):
        in_folders.setdefault(folder, []).append(rest)
    directories = [_directory(at, d, names) for d, names in sorted(in_folders.items())]
    direct = [
        {**row, "relativeUrl": f"{at}/{row['name']}".strip("/")}
        for row in file_rows({n: p for n, p in inside.items() if "/" not in n})
    ]
    cut = page("children", [*directories, *direct], fields)
    children = cut.pop("children")
    return {
        **cut,
        "directories": [c for c in children if c in directories],
        "files": [c for c in children if c not in directories],
        "totalChildren": len(directories) + len(direct),
        "totalDirectories": len(directories),
        "totalFiles": len(direct),
    }


def file_rows(files: Mapping[str, Path], size: str = "totalBytes") -> list[Row]:
    """Return name, size and date of each file. `size` is the name of the field for the size."""
    return [
        {"name": n, size: p.stat().st_size, "creationDate": modified(p)} for n, p in files.items()
    ]


def count_by_extension(files: Mapping[str, Path]) -> Row:
    """Return the number and size of files by extension."""
    kinds: dict[str, list[Path]] = {}
    for file in files.values():
        kinds.setdefault(file.suffix or "none", []).append(file)
    types = [
        {"extension": k, "fileCount": len(v), "totalSize": sum(p.stat().st_size for p in v)}
        for k, v in sorted(kinds.items())
    ]
    return {"fileSummaryInfo": {"totalFileCount": len(files), "fileTypes": types}}


def _directory(at: str, name: str, inside: list[str]) -> Row:
    folders = {n.split("/")[0] for n in inside if "/" in n}
    return {
        "name": name,
        "relativeUrl": f"{at}/{name}".strip("/"),
        "totalFiles": len(inside),
        "totalDirectories": len(folders),
        "totalChildren": len(folders) + sum("/" not in n for n in inside),
    }
