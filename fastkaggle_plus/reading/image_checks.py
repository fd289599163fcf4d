"""Check the images of a folder: their sizes, which do not decode, which are unusual."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from shutil import move
from typing import Any

import pandas as pd
from PIL import Image

from ..exceptions import DataError, UnreadableImage
from .image_files import images_below, is_wide_grey, open_header, open_image, orientation, size_px


def image_sizes(
    path: str | Path,  # a folder; its sub-folders count
    *,
    workers: int | None = None,  # threads; default: a few more than cores
) -> pd.DataFrame:
    """Return the size of every image in a folder as it is shown, read from the files' headers.

    Columns: file (path inside the folder), width_px, height_px, mode (PIL's), problem ("" if the
    header can be read). Raises DataError without any image.
    """

    def one(file: Path) -> tuple[Any, ...]:
        try:
            with open_header(file) as image:
                height, width = size_px(image)
                return width, height, image.mode, ""
        except UnreadableImage as e:
            return None, None, "", e.why

    rows = list(_each(Path(path), one, workers))
    return pd.DataFrame(rows, columns=["file", "width_px", "height_px", "mode", "problem"]).astype(
        {"width_px": "Int64", "height_px": "Int64"}
    )


def check_images(
    path: str | Path,  # a folder; its sub-folders count
    *,
    move_to: str | Path | None = None,  # folder outside `path` for broken files; None: keep them
    workers: int | None = None,  # threads
) -> pd.DataFrame:
    """Decode every image in a folder, and return a row for each that is broken or unusual.

    Columns: file (path inside the folder), problem (why it does not decode, "" if it does), note
    (grey, 16 bits, palette, transparent, CMYK, turned by EXIF, several frames: all of these can be
    read), moved_to. Broken files keep their sub-folders when they are moved; nothing is deleted or
    overwritten: a number is added to a name that exists already.
    Raises DataError without any image, or when `move_to` is inside `path`.
    """
    folder, to = Path(path), None if move_to is None else Path(move_to)
    if to is not None and to.resolve().is_relative_to(folder.resolve()):
        raise DataError(
            f"move_to = {to} is inside {folder}, whose images are checked: they would be found "
            "again. Give a folder outside of it."
        )

    def one(file: Path) -> tuple[str, str]:
        try:
            with open_header(file) as image:
                note = _note(image)
            open_image(file)
            return "", note
        except UnreadableImage as e:
            return e.why, ""

    rows = [row for row in _each(folder, one, workers) if any(row[1:])]
    moved = [
        str(_move(folder / file, to / file)) if to is not None and problem else ""
        for file, problem, _ in rows
    ]
    return pd.DataFrame(rows, columns=["file", "problem", "note"]).assign(moved_to=moved)


def _each(
    folder: Path, one: Callable[[Path], tuple[Any, ...]], workers: int | None
) -> Iterator[tuple[Any, ...]]:
    """Yield the path inside the folder and the result of `one` for each image."""
    files = images_below(folder)
    if not files:
        problem = "holds no image file" if folder.is_dir() else "is no folder"
        raise DataError(f"{folder} {problem}. Give the folder of the images, or one above it.")
    with ThreadPoolExecutor(workers) as pool:
        for file, result in zip(files, pool.map(one, files), strict=True):
            yield file.relative_to(folder).as_posix(), *result


def _note(image: Image.Image) -> str:
    has_alpha = image.mode in ("RGBA", "LA", "PA", "RGBa", "La")
    is_note = {
        "grey": image.mode in ("1", "L", "LA", "La") or is_wide_grey(image.mode),
        "16 bits": is_wide_grey(image.mode),
        "palette": image.mode in ("P", "PA"),
        "transparent": has_alpha or "transparency" in image.info,
        "CMYK": image.mode == "CMYK",
        f"turned by EXIF ({orientation(image)})": orientation(image) != 1,
        "several frames": getattr(image, "n_frames", 1) > 1,
    }
    return ", ".join(note for note, holds in is_note.items() if holds)


def _move(file: Path, wanted: Path) -> Path:
    """Move a file to a name that no other has, and return it."""
    wanted.parent.mkdir(parents=True, exist_ok=True)
    place, n = wanted, 1
    while True:
        try:
            place.touch(exist_ok=False)  # reserves the name among processes
            break
        except FileExistsError:
            place, n = wanted.with_stem(f"{wanted.stem}-{n}"), n + 1
    try:
        return Path(move(file, place))
    except OSError:
        place.unlink()
        raise
