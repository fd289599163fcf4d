"""Copy folders to each node once: as one array in Ray's object store, by the hash of its content.

Not through Ray's working_dir, which has a limit of size, nor as a list, which Ray copies by item.
"""

import hashlib
import io
import shutil
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import ray
from filelock import FileLock

from ...environment import home
from .node_check import files_of


def node_cache() -> Path:
    """Return the folder of copies on a node, and of results that are on their way."""
    return home() / "ray"


@dataclass(frozen=True)
class FolderCopy:
    """Folders that the driver put into the object store."""

    digest: str  # of the archive
    archive: Any  # reference to an array of bytes: a tar

    def unpacked(self) -> Path:
        """Return the copy on this node; the first task on the node unpacks it."""
        folder = node_cache() / self.digest
        if not folder.exists():
            node_cache().mkdir(parents=True, exist_ok=True)
            with FileLock(folder.with_suffix(".lock")):
                if not folder.exists():
                    part = folder.with_suffix(".part")
                    shutil.rmtree(part, ignore_errors=True)  # of a node that was killed
                    with tarfile.open(fileobj=io.BytesIO(ray.get(self.archive))) as tar:
                        tar.extractall(part, filter="data")
                    part.rename(folder)
        return folder


def put_folders(
    folders: dict[str, Path],  # by their names in the copy
    without: Path,  # as for `files_of`
) -> FolderCopy:
    """Put folders into the object store; it must fit into the memory of the driver's node."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", dereference=True) as tar:
        for name, folder in folders.items():
            for file in files_of(folder, without):
                tar.add(file, Path(name, file.relative_to(folder)), filter=_without_owner)
    digest = hashlib.sha256(content.getbuffer()).hexdigest()[:32]
    return FolderCopy(digest, ray.put(np.frombuffer(content.getbuffer(), dtype=np.uint8)))


def _without_owner(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member
