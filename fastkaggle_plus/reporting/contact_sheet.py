"""Many small images on one page, each under its title; what a network sees of some."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ..data import Table
from ..exceptions import DataError

Array = np.ndarray[Any, Any]
_CELL_IN = 2.0  # width of an image on the page, in inches
_LETTERS = 30  # of a title fit above it
_LINE_IN = 0.16  # height of a line of a title


def contact_sheet(
    images: Array,  # (n, height, width, 3) uint8
    *,
    titles: Sequence[object] | None = None,  # one for each image; long lines are broken
    columns: int = 4,
    file: str
    | Path
    | None = None,  # where to save it as well; the suffix says how: .png, .jpg, .svg, .pdf
) -> Figure:
    """Draw images row by row, as many in a row as there are columns.

    Raises DataError when the array holds no such images, or the titles are not as many.
    """
    images = np.asarray(images)
    if images.ndim != 4 or images.shape[-1] != 3 or images.dtype != np.uint8 or not images.size:
        raise DataError(
            f"A contact sheet takes images as (n, height, width, 3) in uint8, and {images.shape} in {images.dtype} came."
        )
    if titles is not None and len(titles) != len(images):
        raise DataError(
            f"{len(titles)} titles came for {len(images)} images. Give one for each, or none."
        )
    if columns < 1:
        raise DataError(f"A contact sheet has at least one column, and columns = {columns} came.")
    columns = min(columns, len(images))
    words = [
        ""
        if titles is None
        else "\n".join(textwrap.fill(line, _LETTERS) for line in str(titles[i]).splitlines())
        for i in range(len(images))
    ]
    rows = -(-len(images) // columns)
    cell_in = _CELL_IN * images.shape[1] / images.shape[2] + _LINE_IN * (
        1 + max(w.count("\n") + bool(w) for w in words)
    )
    figure = Figure(figsize=(_CELL_IN * columns, cell_in * rows), layout="constrained")
    cells = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in cells:
        axes.set_axis_off()
    for axes, image, title in zip(cells, images, words, strict=False):
        axes.imshow(image)
        axes.set_title(title, fontsize=8)
    if file is not None:
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(file, dpi=150)
    return figure


def show_augs(
    table: Table,  # with images: data.train
    rows: Sequence[int] = (0, 1, 2),  # positions of the images to show
    n_views: int = 5,  # random views of each
    *,
    file: str | Path | None = None,  # where to save it as well
    **seen: Any,  # item, batch, method, min_scale, flip_vert, mult, seed: as in `vision_model`
) -> Figure:
    "Draw some images as a network sees them: each row an image, first whole, then as random views. Raises DataError where there are none."
    from ..modeling import augmented  # torch behind it

    views = augmented(table, rows, n_views, **seen)
    titles = ["whole" if i == 0 else f"view {i}" for _ in rows for i in range(n_views + 1)]
    return contact_sheet(
        views.reshape(-1, *views.shape[2:]), titles=titles, columns=n_views + 1, file=file
    )
