"""Open image files: upright, in 8-bit RGB, or an error that names the file."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError
from PIL.Image import Transpose

from ..exceptions import UnreadableImage

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff")
_OUTPUT_MARKS = ("competition.toml", "run.lock")  # in the folders that fkp itself writes
_ORIENTATION = 0x0112  # the EXIF tag
_SIDEWAYS = (5, 6, 7, 8)  # its values that exchange width and height
_WHITE_16_BIT = 65535
_TURNS = {  # orientation -> how to turn the image upright
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}


def open_image(
    file: str | Path,
    *,
    draft_px: tuple[int, int] | None = None,  # needed (height, width): a JPEG decodes no larger
) -> Image.Image:
    """Open an image in RGB and upright, as its EXIF orientation says.

    Grey, palette and CMYK images are converted, 16-bit grey is scaled to 8 bits, an animation gives
    its first frame. Transparency is dropped as in fastai: the colours below it show.
    Raises UnreadableImage for a file that is missing, empty, truncated, damaged, no image, larger
    than PIL's limit against decompression bombs, or of floating-point numbers.
    """
    with open_header(file) as image:
        if draft_px is not None:
            height, width = draft_px
            is_sideways = orientation(image) in _SIDEWAYS
            image.draft(None, (height, width) if is_sideways else (width, height))
        image.load()
        rgb, turn = _as_rgb(image), _TURNS.get(orientation(image))
        return rgb if turn is None else rgb.transpose(turn)


@contextlib.contextmanager
def open_header(file: str | Path) -> Iterator[Image.Image]:
    """Open an image without decoding its pixels; errors in the block become UnreadableImage."""
    try:
        with Image.open(file) as image:
            yield image
    except (UnreadableImage, MemoryError):
        raise
    except Exception as e:  # PIL's readers raise any error for a damaged file
        raise UnreadableImage(file, _reason(Path(file), e)) from e


def orientation(image: Image.Image) -> int:
    """Return the orientation of EXIF, 1 to 8: 1 is upright."""
    try:
        # the method of a PNG itself would decode the image
        return int(Image.Image.getexif(image).get(_ORIENTATION, 1))
    except Exception:  # damaged EXIF data: the pixels may still be good
        return 1


def size_px(image: Image.Image) -> tuple[int, int]:
    """Return (height, width) as the image is shown."""
    width, height = image.size
    if image.format != "TIFF" and orientation(image) in _SIDEWAYS:  # PIL turns a TIFF itself
        return width, height
    return height, width


def images_below(folder: Path) -> list[Path]:
    """Return the sorted image files of a folder and its sub-folders, found by suffix.

    Sub-folders that fkp wrote (competitions, runs) are left out: they contain copies.
    """
    return [p for p in files_below(folder) if p.suffix.lower() in SUFFIXES]


def files_below(folder: Path) -> list[Path]:
    """Return the sorted files of a folder and its sub-folders, without those that fkp wrote."""
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    outputs = {p.parent for p in files if p.name in _OUTPUT_MARKS and p.parent != folder}
    return [p for p in files if outputs.isdisjoint(p.parents)] if outputs else files


def is_wide_grey(mode: str) -> bool:
    """Say whether PIL's mode is grey in 16 bits; PIL itself would cut it off at 255."""
    return mode == "I" or mode.startswith("I;16")


def _as_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "F":
        raise ValueError("it holds floating-point numbers, whose black and white are unknown")
    if is_wide_grey(image.mode):
        grey = np.asarray(image).clip(0, _WHITE_16_BIT).astype(float) * (255 / _WHITE_16_BIT)
        return Image.fromarray(grey.round().astype(np.uint8)).convert("RGB")
    if image.mode == "P" and "transparency" in image.info:  # avoids a warning of PIL
        return image.convert("RGBA").convert("RGB")
    return image.convert("RGB")


def _reason(file: Path, error: Exception) -> str:
    """Explain why a file does not open."""
    if isinstance(error, FileNotFoundError):
        return "it is not there"
    if isinstance(error, OSError) and error.errno is not None:
        return error.strerror or str(error)
    with contextlib.suppress(OSError):
        if not file.stat().st_size:
            return "it is empty"
    if isinstance(error, UnidentifiedImageError):
        return "PIL does not know its format"
    if isinstance(error, Image.DecompressionBombError):
        return f"it has too many pixels to be decoded safely ({error})"
    return str(error) or type(error).__name__
