"""Decode and resize images once per (files, size, method), for all trials and folds."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import PIL
from PIL.Image import Image, Resampling

from ..data import Array, ImageFiles
from ..exceptions import DataError, UnknownName
from .array_cache import cached_array
from .image_files import open_image

METHODS = ("crop", "squish", "pad")
_ALGORITHM = 1  # raise it when an edit of this code changes the pixels of a file
_MOST_PX = 8192  # a side
_REDUCING_GAP = 3.0  # PIL: indistinguishable from resampling the whole image


@dataclass(frozen=True, eq=False)
class Pixels:
    """All images in one size; black without a readable file."""

    array: Array  # (n_files, height, width, 3) uint8, read-only, mapped from a file
    ok: Array  # (n_files,) False without a readable image
    problems: dict[str, str]  # file -> why it is not readable


def resized(
    images: ImageFiles | Sequence[str | Path],  # the files; "" for a row without one
    size: int | tuple[int, int],  # (height, width) in pixels; one number is a square
    *,
    method: str = "crop",  # crop the centre | squish to the size | pad the whole image with black
    folder: str | Path | None = None,  # the cache; default: FKP_HOME/cache/pixels
) -> Pixels:
    """Return all images in one size, like fastai's Resize for a validation set.

    They are upright, see `open_image`, and antialiased; a JPEG is decoded at the smallest scale
    that is large enough. The result is cached on disk, see `cached_array`. Raises UnknownName for
    an unknown method, DataError for a wrong size or a full disk.
    """
    if method not in METHODS:
        raise UnknownName("resize method", method, METHODS)
    # a trial that was read from JSON has lists
    sides = tuple(size) if isinstance(size, list | tuple) else (size, size)
    if len(sides) != 2 or not all(isinstance(s, int) and 1 <= s <= _MOST_PX for s in sides):
        raise DataError(
            "An image size is one number or (height, width) in whole pixels from 1 to "
            f"{_MOST_PX}, got {size!r}."
        )
    height, width = sides
    files = images.files if isinstance(images, ImageFiles) else tuple(map(str, images))

    def make(file: str) -> Array:
        return np.asarray(fit(open_image(file, draft_px=(height, width)), height, width, method))

    array, problems = cached_array(
        "pixels",
        files,
        make,
        recipe=(_ALGORITHM, PIL.__version__, method),
        row=(height, width, 3),
        dtype="uint8",
        folder=folder,
    )
    ok = np.array([bool(f) and f not in problems for f in files], dtype=bool)
    return Pixels(array, ok, problems)


def fit(image: Image, height: int, width: int, method: str) -> Image:
    """Return an RGB image in exactly this size."""
    across, down = image.width / width, image.height / height  # how much larger the image is
    box = (0.0, 0.0, float(image.width), float(image.height))
    if method == "crop":  # the largest part with the shape of the result
        scale = min(across, down)
        left, top = (image.width - scale * width) / 2, (image.height - scale * height) / 2
        box = (left, top, image.width - left, image.height - top)
    elif method == "pad":  # the smallest page with that shape, black around the image
        w, h = round(max(across, down) * width), round(max(across, down) * height)
        left, top = int((image.width - w) / 2), int((image.height - h) / 2)
        image, box = image.crop((left, top, left + w, top + h)), (0.0, 0.0, float(w), float(h))
    return image.resize((width, height), Resampling.BILINEAR, box, _REDUCING_GAP)
