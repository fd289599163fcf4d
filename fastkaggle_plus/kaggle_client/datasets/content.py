"""The files of a folder that are sent as a dataset, checked for keys."""

import hashlib
import re
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ... import files as safe_files
from ...exceptions import DataError
from ...secrets import env_values, refuse_secrets
from .metadata import METADATA

_NOT_SENT = {
    METADATA,
    METADATA + ".part",
    "datapackage.json",
    "kernel-metadata.json",
    "model-metadata.json",
    "model-instance-metadata.json",
    ".DS_Store",
}
_COVER = re.compile(r"dataset-cover-image\.\w+")
_SKIPPED_FOLDERS = {".git", ".cache", ".huggingface", "__pycache__", ".ipynb_checkpoints"}
# Kaggle unpacks these, or may.
_ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar")
_SCANNED_BYTES = 5_000_000  # of one text file: about a second
_ZIP_DATE = (1980, 1, 1, 0, 0, 0)  # fixed: the same files make the same zip, so uploads can resume


@dataclass(frozen=True)
class Content:
    """The files of a folder that are sent."""

    folder: Path
    files: dict[str, tuple[int, str]]  # path in the folder -> bytes, SHA-256

    @property
    def sums(self) -> str:
        """One line a file: its SHA-256 and its path."""
        return "".join(f"{sha}  {name}\n" for name, (_, sha) in sorted(self.files.items()))

    @property
    def sha256(self) -> str:
        """One hash for all files."""
        return hashlib.sha256(self.sums.encode()).hexdigest()

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(size for size, _ in self.files.values())

    def fits(
        self,
        listed: dict[str, int],  # path -> bytes, as Kaggle lists them
        *,
        by_name: bool = False,  # sizes may differ
    ) -> bool:
        """Say whether a version can be this content; Kaggle may have unpacked archives."""
        plain = {n: s for n, (s, _) in self.files.items() if not n.lower().endswith(_ARCHIVES)}
        has_archives = len(plain) < len(self.files)
        if not listed or not (has_archives or len(listed) == len(plain)):
            return False
        return all(n in listed and (by_name or listed[n] == s) for n, s in plain.items())


def read_content(folder: Path) -> Content:
    """Return the files of `folder` to send. Raises SecretFound for a text file with a key."""
    known = env_values(folder)
    files = {}
    for path in sorted(_files_to_send(folder)):
        name = path.relative_to(folder).as_posix()
        _refuse_keys(path, name, known)
        files[name] = path.stat().st_size, safe_files.file_hash(path)
    zipped = {name.split("/")[0] + ".zip" for name in files if "/" in name}
    if clashes := sorted(zipped & set(files)):
        raise DataError(
            f"{folder} has a folder and an archive that become the same on Kaggle: "
            f"{', '.join(clashes)}. Rename one."
        )
    return Content(folder, files)


def files_to_upload(
    content: Content,
    work: Path,  # an empty folder for zips
) -> Iterator[Path]:
    """Yield the files at the top, then each folder as a zip, which Kaggle unpacks."""
    for name in sorted(n for n in content.files if "/" not in n):
        yield content.folder / name
    for top in sorted({n.split("/")[0] for n in content.files if "/" in n}):
        archive = work / f"{top}.zip"
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as z:
            for name in sorted(n for n in content.files if n.startswith(top + "/")):
                info = zipfile.ZipInfo(name.removeprefix(top + "/"), _ZIP_DATE)
                info.compress_type = zipfile.ZIP_DEFLATED
                source = content.folder / name
                with open(source, "rb") as f, z.open(info, "w", force_zip64=True) as out:
                    shutil.copyfileobj(f, out, 1 << 20)
        yield archive
        archive.unlink()


def _files_to_send(folder: Path, *, is_top: bool = True) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.is_dir():
            if path.name not in _SKIPPED_FOLDERS:
                yield from _files_to_send(path, is_top=False)
        elif path.is_file() and not (
            is_top and (path.name in _NOT_SENT or _COVER.fullmatch(path.name))
        ):
            yield path


def _refuse_keys(path: Path, name: str, known: list[str]) -> None:
    with open(path, "rb") as f:
        head = f.read(_SCANNED_BYTES)
    if b"\0" not in head[:8192]:
        refuse_secrets(head.decode("utf-8", errors="replace"), f"The file {name}", known=known)
