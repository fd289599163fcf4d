"""A dataset on disk: its metadata file, what of the folder is sent, and that no key is in it."""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...exceptions import DataError
from ...secrets import env_values, refuse_secrets

METADATA = "dataset-metadata.json"
DEFAULT_LICENSE = "CC0-1.0"  # as in fastkaggle
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
_NO_FOLDERS = {".git", ".cache", ".huggingface", "__pycache__", ".ipynb_checkpoints"}
_ARCHIVES = (
    ".zip",
    ".tar",
    ".gz",
    ".tgz",
    ".bz2",
    ".xz",
    ".7z",
    ".rar",
)  # what the service unpacks, or may
_SCANNED_BYTES = 5_000_000  # of one text file: about a second
_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Metadata:
    "What dataset-metadata.json says."

    handle: str  # owner/slug
    title: str
    license: str = DEFAULT_LICENSE
    subtitle: str = ""
    description: str = ""
    keywords: tuple[str, ...] = ()
    is_private: bool = True


@dataclass(frozen=True)
class Content:
    "What of a folder is sent."

    folder: Path
    files: dict[str, tuple[int, str]]  # path in the folder -> bytes, SHA-256

    @property
    def sha256(self) -> str:
        "One hash for all: of the sorted list of files with their hashes."
        return hashlib.sha256(
            "".join(f"{sha}  {name}\n" for name, (_, sha) in sorted(self.files.items())).encode()
        ).hexdigest()

    @property
    def size(self) -> int:
        "Bytes in all."
        return sum(size for size, _ in self.files.values())

    def fits(
        self,
        listed: dict[str, int],  # path -> bytes, as the service lists them
        *,
        by_name: bool = False,  # sizes may differ
    ) -> bool:
        "Say whether a version with these files can be this content. Archives are unpacked by the service: their members are not foretold."
        plain = {
            name: size
            for name, (size, _) in self.files.items()
            if not name.lower().endswith(_ARCHIVES)
        }
        has_archives = len(plain) < len(self.files)
        there = all(
            name in listed and (by_name or listed[name] == size) for name, size in plain.items()
        )
        return bool(listed) and there and (has_archives or len(listed) == len(plain))


def slugify(title: str) -> str:
    "Return the slug Kaggle makes of `title`."
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def check_names(title: str, slug: str) -> None:
    "Raise DataError unless Kaggle can take this title and slug."
    for what, name in (("title", title), ("slug", slug)):
        if not 6 <= len(name) <= 50:
            raise DataError(
                f"The {what} of a dataset has 6 to 50 characters; {name!r} has {len(name)}. Nothing was sent: choose another title."
            )
    if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?", slug):
        raise DataError(f"A slug has letters, digits and dashes; {slug!r} came. Nothing was sent.")


def write_metadata(folder: Path, meta: Metadata, *, more: dict[str, Any] | None = None) -> None:
    "Write dataset-metadata.json as `kaggle datasets create`, `version` and `metadata --update` read it."
    fields = {
        **(more or {}),
        "title": meta.title,
        "id": meta.handle,
        "licenses": [{"name": meta.license}],
        "isPrivate": meta.is_private,
    }
    fields |= {
        k: v
        for k, v in (
            ("subtitle", meta.subtitle),
            ("description", meta.description),
            ("keywords", list(meta.keywords)),
        )
        if v
    }
    part = folder / (METADATA + ".part")
    part.write_text(json.dumps(fields, indent=2), encoding="utf-8")
    part.replace(folder / METADATA)


def read_metadata(folder: Path) -> Metadata:
    "Return what the metadata file in `folder` says, also one that `kaggle datasets metadata` wrote. Raises DataError."
    file = folder / METADATA
    if not file.is_file():
        raise DataError(
            f"{folder} has no {METADATA}. Make the dataset with mk_dataset, or fetch it with get_dataset."
        )
    try:
        fields: Any = json.loads(file.read_text(encoding="utf-8"))
        fields = {**fields, **(fields.get("info") or {})}
        owner, slug = fields.get("ownerUser"), fields.get("datasetSlug")
        handle = fields.get("id") or (f"{owner}/{slug}" if owner and slug else "")
        licenses = [one["name"] for one in fields.get("licenses") or [] if one.get("name")]
        meta = Metadata(
            str(handle),
            str(fields.get("title") or ""),
            licenses[0] if licenses else DEFAULT_LICENSE,
            fields.get("subtitle") or "",
            fields.get("description") or "",
            tuple(fields.get("keywords") or ()),
            bool(fields.get("isPrivate", True)),
        )
    except (ValueError, TypeError, AttributeError, KeyError) as e:
        raise DataError(
            f"{file} does not read as a dataset's metadata: {e}. Write it anew with mk_dataset(..., upload=False, force=True)."
        ) from e
    if not re.fullmatch(r"[^/\s]+/[^/\s]+", meta.handle) or "INSERT_" in meta.handle + meta.title:
        raise DataError(
            f'{file} names no dataset: "id" is to be OWNER/SLUG, and is {meta.handle!r}; the title is {meta.title!r}.'
        )
    if meta.subtitle and not 20 <= len(meta.subtitle) <= 80:
        raise DataError(
            f"A subtitle has 20 to 80 characters; that in {file} has {len(meta.subtitle)}."
        )
    check_names(meta.title or meta.handle.split("/")[1], meta.handle.split("/")[1])
    return meta


def read_content(folder: Path) -> Content:
    "Return what of `folder` is to be sent. Raises SecretFound for a text file that holds a key."
    known = env_values(folder)
    files = {}
    for path in sorted(_walk(folder)):
        name = path.relative_to(folder).as_posix()
        _refuse_keys(path, name, known)
        with open(path, "rb") as f:
            files[name] = path.stat().st_size, hashlib.file_digest(f, "sha256").hexdigest()
    packed = {name.split("/")[0] + ".zip" for name in files if "/" in name} & set(files)
    if packed:
        raise DataError(
            f"{folder} has a folder and an archive that become the same on Kaggle: {', '.join(sorted(packed))}. Rename one."
        )
    return Content(folder, files)


def parcels(
    content: Content,
    work: Path,  # an empty folder for zips
) -> Iterator[Path]:
    "Yield the files to upload: those at the top as they are, each folder as a zip, which the service unpacks."
    for name in sorted(n for n in content.files if "/" not in n):
        yield content.folder / name
    for top in sorted({n.split("/")[0] for n in content.files if "/" in n}):
        archive = work / f"{top}.zip"
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as z:
            for name in sorted(n for n in content.files if n.startswith(top + "/")):
                info = zipfile.ZipInfo(
                    name.removeprefix(top + "/"), _EPOCH
                )  # the same files give the same bytes: an upload can go on
                info.compress_type = zipfile.ZIP_DEFLATED
                with (
                    open(content.folder / name, "rb") as source,
                    z.open(info, "w", force_zip64=True) as out,
                ):
                    while chunk := source.read(1 << 20):
                        out.write(chunk)
        yield archive
        archive.unlink()


def _walk(folder: Path, *, is_top: bool = True) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.is_dir():
            if path.name not in _NO_FOLDERS:
                yield from _walk(path, is_top=False)
        elif path.is_file() and not (
            is_top and (path.name in _NOT_SENT or _COVER.fullmatch(path.name))
        ):
            yield path


def _refuse_keys(path: Path, name: str, known: list[str]) -> None:
    with open(path, "rb") as f:
        head = f.read(_SCANNED_BYTES)
    if b"\0" not in head[:8192]:
        refuse_secrets(head.decode("utf-8", errors="replace"), f"The file {name}", known=known)
