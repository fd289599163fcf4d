"""One way to open an image file: upright, in 8-bit RGB, or an error that names the file."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..exceptions import UnreadableImage

if TYPE_CHECKING:
    from PIL import Image

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff")
_ORIENTATION = 0x0112  # the EXIF tag
_SIDEWAYS = (5, 6, 7, 8)  # its values that exchange width and height
_WHITE_16_BIT = 65535


def open_image(
    file: str | Path,
    *,
    draft_px: tuple[int, int]
    | None = None,  # (height, width) that is needed: a JPEG is decoded at the smallest scale that covers it
) -> Image.Image:
    """Open an image in RGB and upright, as its EXIF orientation says.

    Grey, palette and CMYK images are converted, 16-bit grey is scaled to 8 bits, and of an animation the first frame is taken. Transparency
    is dropped as fastai drops it: the colours below it show. Raises UnreadableImage for a file that is not there, empty, truncated, damaged,
    no image, larger than PIL's limit against decompression bombs, or of floating-point numbers.
    """
    with opened(file) as image:
        if draft_px is not None:
            height, width = draft_px
            image.draft(
                None, (height, width) if orientation(image) in _SIDEWAYS else (width, height)
            )
        image.load()
        return _upright(_as_rgb(image), orientation(image))


@contextlib.contextmanager
def opened(file: str | Path) -> Iterator[Image.Image]:
    """Open an image whose pixels are not decoded yet; whatever fails until it is closed is an UnreadableImage."""
    from PIL import Image

    try:
        with Image.open(file) as image:
            yield image
    except (UnreadableImage, MemoryError):
        raise
    except Exception as e:  # PIL's readers raise whatever a damaged file makes them stumble over
        raise UnreadableImage(file, _reason(Path(file), e)) from e


def orientation(image: Image.Image) -> int:
    """Return how the image lies, 1 to 8 as in EXIF: 1 is upright."""
    from PIL import Image

    try:
        return int(
            Image.Image.getexif(image).get(_ORIENTATION, 1)
        )  # a PNG's own method would decode it
    except Exception:  # damaged EXIF data: the pixels may still be sound
        return 1


def size_px(image: Image.Image) -> tuple[int, int]:
    """Return (height, width) as the image is shown."""
    width, height = image.size  # PIL has turned the size of a TIFF already
    return (
        (width, height)
        if image.format != "TIFF" and orientation(image) in _SIDEWAYS
        else (height, width)
    )


def images_below(folder: Path) -> list[Path]:
    """Return every image file of a folder and its sub-folders, by their suffix, in order."""
    return sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())


def is_wide_grey(mode: str) -> bool:
    """Say whether PIL's mode means grey in 16 bits, which its own conversion to 8 bits would cut off at 255."""
    return mode == "I" or mode.startswith("I;16")


def _as_rgb(image: Image.Image) -> Image.Image:
    import numpy as np
    from PIL import Image

    if image.mode == "F":
        raise ValueError(
            "it holds floating-point numbers, of which nobody says what is black and what is white"
        )
    if is_wide_grey(image.mode):
        grey = np.asarray(image).clip(0, _WHITE_16_BIT).astype(float) * (255 / _WHITE_16_BIT)
        return Image.fromarray(grey.round().astype(np.uint8)).convert("RGB")
    if (
        image.mode == "P" and "transparency" in image.info
    ):  # the same colours, without PIL's warning
        return image.convert("RGBA").convert("RGB")
    return image.convert("RGB")


def _upright(image: Image.Image, lies: int) -> Image.Image:
    from PIL.Image import Transpose as T

    turns = {
        2: T.FLIP_LEFT_RIGHT,
        3: T.ROTATE_180,
        4: T.FLIP_TOP_BOTTOM,
        5: T.TRANSPOSE,
        6: T.ROTATE_270,
        7: T.TRANSVERSE,
        8: T.ROTATE_90,
    }
    return image.transpose(turns[lies]) if lies in turns else image


def _reason(file: Path, error: Exception) -> str:
    """What to say of a file that does not open."""
    from PIL import Image, UnidentifiedImageError

    number: Any = getattr(error, "errno", None)
    if number == errno.ENOENT:
        return "it is not there"
    if number is not None:
        return str(getattr(error, "strerror", None) or error)
    with contextlib.suppress(OSError):
        if not file.stat().st_size:
            return "it is empty"
    if isinstance(error, UnidentifiedImageError):
        return "it begins like no image that PIL knows"
    if isinstance(error, Image.DecompressionBombError):
        return f"it has too many pixels to be decoded safely ({error})"
    return str(error) or type(error).__name__
