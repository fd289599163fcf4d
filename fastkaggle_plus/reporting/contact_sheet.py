"""Show many small images on one page, and show what augmentation makes of some images."""

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ..data import Table
from ..exceptions import DataError
from .figure import NotebookFigure

_CELL_IN = 2.0  # width of an image on the page, in inches
_TITLE_LETTERS = 30  # that fit above an image
_LINE_IN = 0.16  # height of a line of a title


def contact_sheet(
    images: np.ndarray,  # (n, height, width, 3) uint8
    *,
    titles: Sequence[object] | None = None,  # one per image; long lines are broken
    columns: int = 4,
    file: str | Path | None = None,  # also save it here, in the format of the suffix, like .png
) -> Figure:
    """Draw images row by row.

    Raises DataError for an array of another shape or type, and for another number of titles.
    """
    images = np.asarray(images)
    if images.ndim != 4 or images.shape[-1] != 3 or images.dtype != np.uint8 or not images.size:
        raise DataError(
            "Cannot draw a contact sheet: expected images as (n, height, width, 3) in uint8, "
            f"got {images.shape} in {images.dtype}."
        )
    if titles is not None and len(titles) != len(images):
        raise DataError(
            f"Got {len(titles)} titles for {len(images)} images. Give one per image, or none."
        )
    if columns < 1:
        raise DataError(f"Expected at least one column, got columns = {columns}.")
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    texts = [""] * len(images) if titles is None else [str(title) for title in titles]
    wrapped = [_wrapped(text) for text in texts]
    title_lines = max(text.count("\n") + bool(text) for text in wrapped)
    cell_in = _CELL_IN * images.shape[1] / images.shape[2] + _LINE_IN * (1 + title_lines)
    figure = NotebookFigure(figsize=(_CELL_IN * columns, cell_in * rows), layout="constrained")
    cells = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in cells:
        axes.set_axis_off()
    for axes, image, title in zip(cells, images, wrapped, strict=False):
        axes.imshow(image)
        axes.set_title(title, fontsize=8)
    if file is not None:
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(file, dpi=150)
    return figure


def _wrapped(title: str) -> str:
    return "\n".join(textwrap.fill(line, _TITLE_LETTERS) for line in title.splitlines())


def show_augs(
    table: Table,  # a table with images: data.train
    rows: Sequence[int] = (0, 1, 2),  # positions of the images to show
    n_views: int = 5,  # random views of each image
    *,
    file: str | Path | None = None,  # also save it here
    **augmentation: Any,  # item, batch, method, min_scale, flip_vert, mult, seed of vision_model
) -> Figure:
    """Draw images as a network sees them, one per row: first whole, then as random views.

    Raises DataError for a table without images.
    """
    from ..modeling import augmented  # imports torch

    views = augmented(table, rows, n_views, **augmentation)
    titles = ["whole", *(f"view {i + 1}" for i in range(n_views))] * len(rows)
    pixels = views.reshape(-1, *views.shape[2:])
    return contact_sheet(pixels, titles=titles, columns=n_views + 1, file=file)
