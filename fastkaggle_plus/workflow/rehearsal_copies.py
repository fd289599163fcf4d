"""The copies of a rehearsal in an output folder: which are the same, which can be removed."""

import hashlib
import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

from ..competition import COMPETITION_FILE, Competition, Images
from ..files import is_locked
from ..reading.image_files import files_below

_HIDDEN = re.compile(r"\.(?!\.$)|__pycache__")
_HASHED_WHOLE = 16 * 2**20  # larger files are compared by size and time, not by content
# Files and folders of a competition's folder that its rehearsal.py does not read or import.
_NO_SOURCE = set("trials.py data.py notebook.py README.md results.csv cleaning.csv runs".split())
_READ = {"data.py", "cleaning.csv"}


def copies(home: Path, seed: int | None = None) -> list[Path]:
    """Return the rehearsal copies in an output folder, last used first."""
    found = home.glob(f"rehearsal-*-seed{'*' if seed is None else seed}")
    return sorted(found, key=lambda p: p.stat().st_mtime, reverse=True)


def remove_unused(folders: Iterable[Path]) -> list[Path]:
    """Remove folders with a sandbox's files; return those that are kept: a sandbox uses them."""
    kept = []
    for folder in folders:
        if any(map(is_locked, folder.rglob("server.lock"))):
            kept.append(folder)
        else:
            shutil.rmtree(folder)
    return kept


def row_hashes(comp: Competition, source: Path, own: ModuleType | None) -> dict[Path, bytes]:
    """Return the hashes of the files that the rows of a rehearsal depend on.

    Other files may lie in the same folders: features, notes, outputs of earlier runs.
    """
    folder = comp.folder or source
    if own is not None:
        rows_from = getattr(own, "DATA", "")  # other folder that rehearsal.py takes its rows from
        ignored = _NO_SOURCE - _used_by(Path(str(own.__file__)).read_text(encoding="utf-8"))
        files = [p for p in folder.rglob("*") if p.relative_to(folder).parts[0] not in ignored]
        source = folder / rows_from
        others = file_hashes(source, files_below(source)) if rows_from else {}
        return file_hashes(folder, files) | others
    names = [comp.train, comp.test_name(source), comp.sample_submission]
    if comp.kind == "images":
        images = comp.images or Images()
        names += [images.train_folder, images.test_folder]
    files = [p for name in names for p in (source / name, *(source / name).rglob("*"))]
    facts = [folder / name for name in (COMPETITION_FILE, comp.own_metric_file) if name]
    return file_hashes(source, files) | file_hashes(folder, facts)


def file_hashes(folder: Path | None, files: Iterable[Path] | None = None) -> dict[Path, bytes]:
    """Return the hash of the relative path and content of files in a folder, by default of all."""
    found: dict[Path, bytes] = {}
    if folder is None:
        return found
    for file in sorted(set(folder.rglob("*") if files is None else files)):
        inside = file.relative_to(folder)
        if not file.is_file() or any(map(_HIDDEN.match, inside.parts)):
            continue
        stat = file.stat()
        if stat.st_size <= _HASHED_WHOLE:
            content = file.read_bytes()
        else:
            content = f"{stat.st_size} {stat.st_mtime_ns}".encode()
        found[file] = hashlib.sha256(f"{inside}\0".encode() + content).digest()
    return found


def fingerprint(hashes: dict[Path, bytes]) -> str:
    """Return a short name for the content of files."""
    return hashlib.sha256(b"".join(hashes.values())).hexdigest()[:8]


def _used_by(code: str) -> set[str]:
    """Return the files that a rehearsal.py imports, and those that `comp.read` reads."""
    imported = re.findall(r"^\s*(?:from|import)\s+(\w+)", code, re.M)
    return {f"{name}.py" for name in imported} | (_READ if ".read(" in code else set())
