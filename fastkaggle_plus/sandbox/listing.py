"""Files as Kaggle lists them: a folder as a tree, and how many there are of each kind."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from .rpc import Fields, changed, page


def below(files: Mapping[str, Path], at: str) -> dict[str, Path]:
    "Return what lies below a folder, by the path from there."
    return {
        n.removeprefix(f"{at}/") if at else n: p
        for n, p in files.items()
        if not at or n.startswith(f"{at}/")
    }


def tree(inside: Mapping[str, Path], at: str, f: Fields) -> Fields:
    "Return one page of a folder `at`: its folders first, then its files. `inside` is what lies below it, by the path from there."
    under: dict[str, list[str]] = {}
    for name in inside:
        if "/" in name:
            under.setdefault(name.split("/")[0], []).append(name.split("/", 1)[1])
    directories = [
        {
            "name": d,
            "relativeUrl": f"{at}/{d}".strip("/"),
            "totalFiles": len(names),
            "totalDirectories": len(folders := _folders_in(names)),
            "totalChildren": len(folders) + sum("/" not in n for n in names),
        }
        for d, names in sorted(under.items())
    ]
    files = [
        {
            "name": n,
            "relativeUrl": f"{at}/{n}".strip("/"),
            "totalBytes": p.stat().st_size,
            "creationDate": changed(p),
        }
        for n, p in inside.items()
        if "/" not in n
    ]
    cut = page("children", [*directories, *files], f)
    children = cut.pop("children")
    return {
        **cut,
        "directories": [c for c in children if c in directories],
        "files": [c for c in children if c not in directories],
        "totalChildren": len(directories) + len(files),
        "totalDirectories": len(directories),
        "totalFiles": len(files),
    }


def summary(files: Mapping[str, Path]) -> Fields:
    "Return the number and size of files by extension."
    kinds: dict[str, list[Path]] = {}
    for file in files.values():
        kinds.setdefault(file.suffix or "none", []).append(file)
    types = [
        {"extension": k, "fileCount": len(v), "totalSize": sum(p.stat().st_size for p in v)}
        for k, v in sorted(kinds.items())
    ]
    return {"fileSummaryInfo": {"totalFileCount": len(files), "fileTypes": types}}


def _folders_in(names: list[str]) -> set[str]:
    return {n.split("/")[0] for n in names if "/" in n}
