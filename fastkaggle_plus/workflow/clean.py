"""Find and remove folders that `fkp` can rebuild: old rehearsals, caches, unfinished work."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..environment import home
from .rehearsal_copies import copies, remove_unused

_IMAGE_CACHES = ("pixels", "features")  # in FKP_HOME/cache; downloaded weights stay


@dataclass(frozen=True)
class Leftover:
    """A folder that can be removed."""

    path: Path
    what: str
    size: int  # bytes

    @property
    def size_text(self) -> str:
        """Return the size for people."""
        return size_text(self.size)

    def as_json(self) -> dict[str, Any]:
        """Return the folder as a JSON object."""
        return {"path": str(self.path), "what": self.what, "size_bytes": self.size}


def find_leftovers(
    slug: str = "",  # "" = every competition in runs/, and the caches
    *,
    dest: str | Path | None = None,  # output folder; default: runs/<slug>
) -> list[Leftover]:
    """Return the folders that can be removed. The newest rehearsal of each seed stays.

    Vaults, results, reports, submissions and journals of real runs are never listed.
    """
    runs = Path("runs")
    name = Path(slug).resolve().name if slug else ""
    folders = [Path(dest)] if dest else [runs / name] if name else sorted(runs.glob("*"))
    found = [pair for folder in folders for pair in _in_output_folder(folder)]
    if not (slug or dest):
        found += [(home() / "cache" / cache, "decoded images") for cache in _IMAGE_CACHES]
    sizes = ((path, what, _size(path)) for path, what in found if path.is_dir())
    return [Leftover(*item) for item in sizes if item[2]]


def remove(leftovers: Iterable[Leftover]) -> list[Path]:
    """Remove folders; return those that are kept because a running sandbox uses them."""
    return remove_unused(item.path for item in leftovers)


def size_text(n_bytes: int) -> str:
    """Return a size in MB or GB."""
    return f"{n_bytes / 1e9:.1f} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:.1f} MB"


def _in_output_folder(folder: Path) -> Iterator[tuple[Path, str]]:
    seen: set[str] = set()
    for copy in copies(folder):
        seed = copy.name.rpartition("-")[2]
        if seed in seen:
            yield copy, "old rehearsal"
            continue
        seen.add(seed)
        for state in _by_use(copy, "code-*")[1:]:
            yield state, "sandbox of old trials"
        for part in copy.rglob(".*.part"):
            yield part, "unfinished"
    for copy in _by_use(folder, "bundle-*")[1:]:
        yield copy, "sandbox of an old bundle"


def _by_use(folder: Path, pattern: str) -> list[Path]:
    return sorted(folder.glob(pattern), key=lambda p: p.stat().st_mtime, reverse=True)


def _size(folder: Path) -> int:
    return sum(p.lstat().st_size for p in folder.rglob("*") if p.is_file())
