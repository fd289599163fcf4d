"""Images decoded and resized once per (files, size, method), for every trial, fold and augmentation that wants them so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data import ImageFiles
from ..exceptions import DataError, UnknownName
from .array_cache import cached_array
from .image_files import open_image

if TYPE_CHECKING:
    from PIL import Image

Array = np.ndarray[Any, Any]
METHODS = ("crop", "squish", "pad")
_ALGORITHM = 1  # counts up when the pixels of a file change by an edit of this code
_MOST_PX = 8192  # a side
_REDUCING_GAP = 3.0  # PIL: indistinguishable from resampling the whole image


@dataclass(frozen=True, eq=False)
class Pixels:
    """Every file's image in one size; black where there is none."""

    array: Array  # (n_files, height, width, 3) uint8, read-only, mapped from a file
    ok: Array  # (n_files,) False where there is no readable image
    problems: dict[str, str]  # file -> why it is not readable


def resized(
    images: ImageFiles | Sequence[str | Path],  # the files; "" for a row without one
    size: int | tuple[int, int],  # (height, width) in pixels; one number is a square
    *,
    method: str = "crop",  # crop: the centre, the shorter side fits | squish: stretched | pad: the whole image, on black
    folder: str | Path | None = None,  # where results are kept; default: FKP_HOME/cache/pixels
) -> Pixels:
    """Return all images in one size, as fastai's Resize makes those of a validation set.

    Upright, see `open_image`; with antialiasing, from the smallest scale of a JPEG that is no smaller than asked for. They are kept on disk
    under the files' paths, sizes and times of change, see `cached_array`. Raises UnknownName for a method and DataError for a size that
    cannot be, or a disk that is full.
    """
    if method not in METHODS:
        raise UnknownName("resize method", method, METHODS)
    sides = (
        tuple(size) if isinstance(size, list | tuple) else (size, size)
    )  # a trial that was read from JSON has lists
    if len(sides) != 2 or not all(isinstance(s, int) and 1 <= s <= _MOST_PX for s in sides):
        raise DataError(
            f"An image size is one number or (height, width) in whole pixels from 1 to {_MOST_PX}, and {size!r} came."
        )
    height, width = sides
    files = images.files if isinstance(images, ImageFiles) else tuple(map(str, images))

    def make(file: str) -> Array:
        return np.asarray(fit(open_image(file, draft_px=(height, width)), height, width, method))

    import PIL

    array, problems = cached_array(
        "pixels",
        files,
        make,
        recipe=(_ALGORITHM, PIL.__version__, method),
        row=(height, width, 3),
        dtype="uint8",
        folder=folder,
    )
    return Pixels(
        array, np.array([bool(f) and f not in problems for f in files], dtype=bool), problems
    )


def fit(image: Image.Image, height: int, width: int, method: str) -> Image.Image:
    """Return an RGB image in exactly this size."""
    from PIL.Image import Resampling

    across, down = image.width / width, image.height / height  # how much larger it is
    box = (0.0, 0.0, float(image.width), float(image.height))
    if method == "crop":  # the largest part of the shape that is asked for
        left, top = (
            (image.width - min(across, down) * width) / 2,
            (image.height - min(across, down) * height) / 2,
        )
        box = (left, top, image.width - left, image.height - top)
    elif method == "pad":  # the smallest page of that shape, black around the image
        w, h = round(max(across, down) * width), round(max(across, down) * height)
        left, top = int((image.width - w) / 2), int((image.height - h) / 2)
        image, box = image.crop((left, top, left + w, top + h)), (0.0, 0.0, float(w), float(h))
    return image.resize((width, height), Resampling.BILINEAR, box, _REDUCING_GAP)
