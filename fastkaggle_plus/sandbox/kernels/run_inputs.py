"""The inputs of a run: those it starts with, and those it attaches while it runs."""

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from .isolation import Control
from .mounts import has_links, merge_folders, remove_folder


class RunInputs:
    """The folders below a kernel's input/: mounts, or copies where a kernel cannot have mounts."""

    def __init__(self, at: Path, *, has_own_files: bool):
        self._at, self._has_own_files = at, has_own_files
        self._folders: dict[str, list[Path]] = {}  # path below input/ -> its folders
        self._n_merged = 0
        self._guard = threading.Lock()
        self.control: Control | None = None  # the running kernel

    def prepare(self, inputs: Mapping[str, Sequence[Path]]) -> dict[str, str]:
        """Return the folder to mount at each path; without mounts, copy the files."""
        self._folders = {path: list(folders) for path, folders in inputs.items()}
        found = {path: self._source(path, folders) for path, folders in inputs.items()}
        return {path: str(source) for path, source in found.items() if source is not None}

    def attach(self, path: str, folders: Sequence[Path]) -> None:
        """Show folders at a path below input/ of the running kernel; merge them if several.

        A version that is already there is kept, and another version is replaced.
        """
        with self._guard:
            if self._folders.get(path) == list(folders):
                return
            source = self._source(path, folders)
            if source is not None and self.control is not None:
                self.control.mount(source, path)
            self._folders[path] = list(folders)

    def _source(self, path: str, folders: Sequence[Path]) -> Path | None:
        """Return the folder to mount, or None after its files were copied to their place."""
        if not self._has_own_files:
            place = self._at / "input" / path
            if place.exists():
                remove_folder(place)
            merge_folders(folders, place, copy=True)
            return None
        if len(folders) == 1 and not has_links(folders[0]):
            return folders[0].resolve()
        self._n_merged += 1
        return merge_folders(folders, self._at / "merged" / str(self._n_merged), copy=False)
