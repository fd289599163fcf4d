"""What a kernel finds below /kaggle/input: which sources exist, where each is mounted, and folders whose files replace others."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..bundles import Bundle
from ..models import framework_slug

# (kind, handle) -> its folder, or None; kind: competition | dataset | kernel | model
FindSource = Callable[[str, str], Path | None]
FindVersion = Callable[[str, int | None], Path | None]
KINDS = {
    "competition": "competitionDataSources",
    "dataset": "datasetDataSources",
    "kernel": "kernelDataSources",
    "model": "modelDataSources",
}
LAYOUTS = ("2026", "2022")


def served(
    bundles: Mapping[str, Bundle],
    *,
    dataset: FindVersion | None = None,  # (owner/slug, version) -> its folder
    model: FindVersion | None = None,  # (owner/model/framework/variation, version) -> its folder
) -> FindSource:
    "Return what finds the folder of a source: a competition whose rules are accepted, a version of a dataset or model (the latest by default)."

    def find(kind: str, handle: str) -> Path | None:
        if kind == "competition":
            bundle = bundles.get(handle)
            return (
                bundle.folder / "files"
                if bundle is not None and bundle.comp.sandbox.rules_accepted
                else None
            )
        named, (look, parts) = (
            handle.split("/"),
            {"dataset": (dataset, 2), "model": (model, 4)}.get(kind, (None, 0)),
        )
        version = named[parts] if len(named) == parts + 1 else None
        least = parts + (kind == "model")  # a model is mounted by its version, so it must name one
        if (
            look is None
            or not least <= len(named) <= parts + 1
            or not (version is None or version.isdecimal())
        ):
            return None
        return look("/".join(named[:parts]), int(version) if version else None)

    return find


def split_sources(
    asked: Mapping[str, Any],  # the fields of SaveKernel
    find: FindSource,
) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    "Return (known, invalid) sources, each by kind. An invalid one is left out of the run, as Kaggle does it."
    known: dict[str, list[str]] = {}
    invalid: dict[str, list[str]] = {}
    for kind, field in KINDS.items():
        for handle in asked.get(field) or []:
            (known if find(kind, plain(kind, handle)) else invalid).setdefault(kind, []).append(
                handle
            )
    return known, invalid


def plain(kind: str, handle: str) -> str:
    "Return a handle without the prefix that fastkaggle gives to competitions; no other prefix is known."
    return handle.removeprefix("competitions/") if kind == "competition" else handle


def place(kind: str, handle: str, layout: str) -> str:
    "Return where a source is mounted below input/."
    parts = plain(kind, handle).split("/")
    if kind == "competition":
        return f"competitions/{parts[0]}" if layout == "2026" else parts[0]
    if kind == "model":
        parts[2] = framework_slug(parts[2])
        return "/".join(["models", *parts] if layout == "2026" else parts[1:])
    owner, slug = parts[:2]
    folder = "datasets" if kind == "dataset" else "notebooks"
    return f"{folder}/{owner}/{slug}" if layout == "2026" else slug


def mounts(known: Mapping[str, Sequence[str]], find: FindSource, layout: str) -> dict[str, Path]:
    "Return place below input/ -> folder for sources that exist."
    found = {}
    for kind, handles in known.items():
        for handle in handles:
            if (folder := find(kind, plain(kind, handle))) is not None:
                found[place(kind, handle, layout)] = folder
    return found


def has_links(folder: Path) -> bool:
    "Say whether a folder holds symbolic links: mounted elsewhere they would lead nowhere."
    return any(
        (Path(at) / n).is_symlink()
        for at, folders, files in os.walk(folder)
        for n in (*folders, *files)
    )


def lay_over(
    layers: Iterable[Path],  # later ones replace the files of earlier ones that have the same name
    dest: Path,
    *,
    copy: bool,  # True: copies without write permission; False: hard links where they can be made
) -> Path:
    "Make one folder of several and return it."
    for layer in layers:
        for file in sorted(p for p in layer.rglob("*") if p.is_file()):
            target = dest / file.relative_to(layer)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.unlink(missing_ok=True)
            _give(file.resolve(), target, copy=copy)
    dest.mkdir(parents=True, exist_ok=True)
    if copy:
        for at, folders, files in os.walk(dest, topdown=False):
            for name in (*files, *folders):
                (Path(at) / name).chmod(0o555 if name in folders else 0o444)
        dest.chmod(0o555)
    return dest


def _give(file: Path, target: Path, *, copy: bool) -> None:
    if not copy:
        try:
            return target.hardlink_to(file)
        except OSError:  # another disk, or a file of somebody else
            pass
    shutil.copyfile(file, target)


def remove(folder: Path) -> None:
    "Remove a folder also when it holds folders without write permission."
    for at, folders, _ in os.walk(folder):
        for name in folders:
            if not (inside := Path(at) / name).is_symlink():
                inside.chmod(0o755)
    shutil.rmtree(folder, ignore_errors=True)
