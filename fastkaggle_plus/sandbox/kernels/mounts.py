"""The sources of a kernel: which of them exist, and where each is mounted below /kaggle/input."""

import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..bundles import Bundle
from ..models import framework_slug

# (kind, handle) -> its folder, or None; kind: competition | dataset | kernel | model
FindSource = Callable[[str, str], Path | None]
SOURCE_FIELDS = {
    "competition": "competitionDataSources",
    "dataset": "datasetDataSources",
    "kernel": "kernelDataSources",
    "model": "modelDataSources",
}


@dataclass(frozen=True)
class Datasource:
    """A data source and its place."""

    path: str  # below /kaggle/input
    folder: Path
    version: int | None  # None: a competition has no versions


@dataclass
class ServedSources:
    """The competitions, datasets and models of a sandbox, as sources of kernels."""

    bundles: Mapping[str, Bundle]
    dataset: Callable[[str], Path | None]  # owner/slug or owner/slug/version -> its folder
    model: Callable[[str], Path | None]  # owner/model/framework/variation/version -> its folder

    def find(self, kind: str, handle: str) -> Path | None:
        """Return the folder of a source, or None.

        The rules of a competition must be accepted. The version of a dataset is the latest by
        default; a model must name its version, because it is part of its mount path.
        """
        if kind == "competition":
            bundle = self.bundles.get(handle)
            if bundle is None or not bundle.comp.sandbox.rules_accepted:
                return None
            return bundle.folder / "files"
        if kind == "model":
            return self.model(handle) if handle.count("/") == 4 else None
        return self.dataset(handle)


def find_sources(
    fields: Mapping[str, Any],  # of SaveKernel
    find: FindSource,
) -> Iterator[tuple[str, str, Path | None]]:
    """Yield (kind, handle, folder) of each source.

    The folder of an invalid source is None. As on Kaggle, a kernel runs without it.
    """
    for kind, field in SOURCE_FIELDS.items():
        for handle in fields.get(field) or []:
            yield kind, handle, find(kind, _without_prefix(kind, handle))


def mount_path(kind: str, handle: str, layout: str) -> str:
    """Return where a source is mounted below input/."""
    parts = _without_prefix(kind, handle).split("/")
    if kind == "competition":
        return f"competitions/{parts[0]}" if layout == "2026" else parts[0]
    if kind == "model":
        parts[2] = framework_slug(parts[2])
        return "/".join(["models", *parts] if layout == "2026" else parts[1:])
    owner, slug = parts[:2]
    folder = "datasets" if kind == "dataset" else "notebooks"
    return f"{folder}/{owner}/{slug}" if layout == "2026" else slug


def _without_prefix(kind: str, handle: str) -> str:
    """Return a handle without the prefix that fastkaggle writes before competitions."""
    return handle.removeprefix("competitions/") if kind == "competition" else handle


def has_links(folder: Path) -> bool:
    """Say whether a folder contains symbolic links, which break when it is mounted elsewhere."""
    for at, folders, files in os.walk(folder):
        if any((Path(at) / n).is_symlink() for n in (*folders, *files)):
            return True
    return False


def merge_folders(
    folders: Iterable[Path],  # a file replaces one of the same name in an earlier folder
    dest: Path,
    *,
    copy: bool,  # True: copies without write permission; False: hard links where possible
) -> Path:
    """Make one folder of several and return it."""
    for folder in folders:
        for file in sorted(p for p in folder.rglob("*") if p.is_file()):
            target = dest / file.relative_to(folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.unlink(missing_ok=True)
            _link_or_copy(file.resolve(), target, copy=copy)
    dest.mkdir(parents=True, exist_ok=True)
    if copy:
        for at, inner, files in os.walk(dest, topdown=False):
            for name in (*files, *inner):
                (Path(at) / name).chmod(0o555 if name in inner else 0o444)
        dest.chmod(0o555)
    return dest


def _link_or_copy(file: Path, target: Path, *, copy: bool) -> None:
    if not copy:
        try:
            return target.hardlink_to(file)
        except OSError:  # another disk, or another user's file
            pass
    shutil.copyfile(file, target)


def remove_folder(folder: Path) -> None:
    """Remove a folder, also when folders in it are not writable."""
    for at, inner, _ in os.walk(folder):
        for name in inner:
            if not (path := Path(at) / name).is_symlink():
                path.chmod(0o755)
    shutil.rmtree(folder, ignore_errors=True)
