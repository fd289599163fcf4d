"""Read a folder of images as rows: each image is a row, the folder that it is in is its class."""

import re
from pathlib import Path

import pandas as pd

from ..exceptions import DataError, listed
from .image_files import SUFFIXES, files_below, images_below

FILE, LABEL = "file", "label"  # the columns: path inside the folder, and class
# Folders that are parts of the data, not classes: train, training_set, valid, val, test_images
_TRAIN = re.compile(r"(?i)(train|valid|val)(ing|idation|ation)?([-_ ].*)?")
_HIDDEN = (".", "__MACOSX")  # starts of names that a system or a notebook server made
_TEST = re.compile(r"(?i)test(ing)?([-_ ].*|\d+)?")


def image_rows(folder: Path) -> pd.DataFrame:
    """Return a row for each image of a folder: its file and, if there are class folders, its label.

    The label is the first folder on the way to the image that is not called train, valid or the
    like; "" for an image outside of class folders. A test folder inside is another part, so its
    images are no rows. Raises DataError without an image.
    """
    inside = (file.relative_to(folder) for file in images_below(folder))
    paths = [p for p in inside if not any(part.startswith(_HIDDEN) for part in p.parts)]
    if not paths:
        suffixes = sorted({p.suffix or p.name for p in files_below(folder)})
        there = f"its files end in {listed(suffixes)}" if suffixes else "it contains no file at all"
        raise DataError(
            f"{folder} contains no image. Images end in {', '.join(SUFFIXES)}; {there}."
        )
    is_test = [len(p.parts) > 1 and is_test_folder(Path(p.parts[0])) for p in paths]
    if not all(is_test):
        paths = [p for p, skipped in zip(paths, is_test, strict=True) if not skipped]
    parts = _parts_of(paths)
    labels = [next((f.name for f in _folders(p) if f not in parts), "") for p in paths]
    rows = pd.DataFrame({FILE: [p.as_posix() for p in paths], LABEL: labels}, dtype=object)
    return rows if any(labels) else rows[[FILE]]


def class_root(folder: Path) -> Path | None:
    """Return the folder at or below `folder` that contains the class folders, None without any."""
    while True:
        rows = image_rows(folder)
        if LABEL not in rows:
            return None
        tops = {file.split("/")[0] for file in rows[FILE][rows[LABEL] != ""]}
        if len(tops) > 1:
            return folder
        folder /= tops.pop()


def is_test_folder(folder: Path) -> bool:
    """Say whether a folder contains test images, as its name says."""
    return bool(_TEST.fullmatch(folder.name))


def _folders(path: Path) -> list[Path]:
    """Return the folders on the way to a file, outermost first."""
    return list(path.parents)[-2::-1]


def _parts_of(paths: list[Path]) -> set[Path]:
    """Return the folders that contain class folders: train/cat/1.jpg, but not train/1.jpg."""
    deeper = {parent for p in paths for parent in _folders(p)[:-1]}
    parts: set[Path] = set()
    for folder in sorted(deeper, key=lambda f: len(f.parts)):
        is_top = folder.parent == Path() or folder.parent in parts
        if is_top and _TRAIN.fullmatch(folder.name):
            parts.add(folder)
    return parts
