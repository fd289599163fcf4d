"""The default reader of images: an honest baseline of colours, a thumbnail and edges, as numbers any model takes."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..data import Data, ImageFiles
from ..exceptions import DataError
from .array_cache import cached_array
from .image_files import images_below, open_image, opened, size_px
from .tables import read_tabular

BINS = 8  # of each colour's histogram
THUMB_PX = 6  # side of the thumbnail
DECODE_PX = 96  # images are shrunk to about this side first
_ALGORITHM = 1  # counts up when the features of a file change by an edit of this code
_SHOWN = 5  # file names listed in an error

Array = np.ndarray[Any, Any]


def read_images(
    path: str | Path,  # folder with the csv files and the image folders
    *,
    train_folder: str = "train_images",
    test_folder: str = "test_images",
    name: str = "{id}",  # file name from the id and other columns, as in "{label}/{image_id}"; a missing suffix is found
    **facts: Any,  # what `read_tabular` takes
) -> Data:
    """Read an image competition: the image of each row, and as a baseline its colours and edges as numbers beside the other columns.

    Networks see the images themselves (`Table.images`). Columns that only the training rows have are kept in `Table.also`. Rows whose image is
    not there or does not decode have missing features and are counted in `left_out`. Raises DataError when no image of train or test can be read.
    """
    data = read_tabular(path, **facts, keep_text=True)
    id, target = facts["id"], facts["target"]
    folders = {"train": Path(path) / train_folder, "test": Path(path) / test_folder}
    raws = {"train": data.raw_train, "test": data.raw_test}
    images = _shared(
        *(find_images(raws[part], folder, id=id, name=name) for part, folder in folders.items())
    )
    features = image_features(images[0].files)
    frames, left_out = [], dict(data.left_out)
    for (part, folder), those in zip(folders.items(), images, strict=True):
        frames.append(features.iloc[those.rows].reset_index(drop=True))
        lost = [
            str(i)
            for i, bad in zip(raws[part][id], np.isnan(frames[-1]["width_px"]), strict=True)
            if bad
        ]
        if len(lost) == len(those) and (there := next(filter(None, those), "")):
            raise DataError(
                f"None of the {part} images in {folder} decodes, {there} among them. `check_images` says why of each. Download them again."
            )
        if len(lost) == len(those):
            raise DataError(
                f"None of the {len(lost)} {part} images can be read from {folder}, the first of {id} {lost[0]}. "
                "Check train_folder, test_folder and name in [images] of competition.toml."
            )
        if lost:
            left_out[f"{part} images"] = (
                f"{len(lost)} not there or not readable: {', '.join(lost[:_SHOWN])}"
                + (", ..." if len(lost) > _SHOWN else "")
            )
    useful = [str(c) for c in frames[0] if frames[0][c].nunique() > 1]
    x, x_test = (
        pd.concat([t.x.reset_index(drop=True), f[useful]], axis=1)
        for t, f in zip((data.train, data.test), frames, strict=True)
    )
    read = data.with_features(
        x,
        x_test,
        cat_names=data.train.cat_names,
        cont_names=(*data.train.cont_names, *useful),
        in_fold=data.in_fold,
    )
    also = data.raw_train[
        [c for c in data.raw_train if c not in data.raw_test and c != id and c not in target]
    ]
    return dataclasses.replace(
        read,
        left_out=left_out,
        test=dataclasses.replace(read.test, images=images[1]),
        train=dataclasses.replace(read.train, images=images[0], also=None if also.empty else also),
    )


def find_images(
    rows: pd.DataFrame,
    folder: Path,
    *,
    id: str,  # the id column
    name: str,  # the template, see `read_images`
) -> list[Path | None]:
    """Return each row's image, or None: by the template, else anywhere in the folder by the last parts of the template or by the id.

    A name that files in several folders have finds none of them: it could be any.
    """
    known = _index(folder)
    keys = (
        (*ends_of(wanted), this)
        for wanted, this in zip(named(rows, id=id, name=name), rows[id].astype(str), strict=True)
    )
    return [next((known[key] for key in those if known.get(key)), None) for those in keys]


def named(
    rows: pd.DataFrame,
    *,
    id: str,  # the id column
    name: str,  # the template, see `read_images`
) -> list[str]:
    """Return the template filled in for each row; what names a column that is not there stays as it is."""
    columns = {
        c: rows[c].astype("string").fillna("").tolist()
        for c in set(re.findall(r"{(\w+)}", name)) & set(rows.columns)
    }
    columns["id"] = rows[id].astype(str).tolist()
    return [
        re.sub(r"{(\w+)}", lambda m, i=i: columns[m[1]][i] if m[1] in columns else m[0], name)
        for i in range(len(rows))
    ]  # type: ignore[misc]


def image_features(
    files: Sequence[str | Path],  # "" for a row without an image
    *,
    folder: str | Path | None = None,  # where results are kept; default: FKP_HOME/cache/features
) -> pd.DataFrame:
    """Return one row of numbers for each image; all missing where there is none or it does not decode. Kept on disk, see `cached_array`."""
    import PIL

    names = [
        "width_px",
        "height_px",
        *(f"{s}_{c}" for s in ("mean", "spread", "edges") for c in "rgb"),
        *(f"hist_{c}{i}" for c in "rgb" for i in range(BINS)),
        *(f"thumb_{c}{y}{x}" for y in range(THUMB_PX) for x in range(THUMB_PX) for c in "rgb"),
    ]

    array, _ = cached_array(
        "features",
        list(map(str, files)),
        _features,
        recipe=(_ALGORITHM, PIL.__version__),
        row=(len(names),),
        dtype="float64",
        blank=np.nan,
        folder=folder,
    )
    return pd.DataFrame(np.array(array), columns=names)


def _features(file: str) -> Array:
    from PIL import Image

    with opened(file) as image:
        height, width = size_px(image)
    small = open_image(file, draft_px=(DECODE_PX, DECODE_PX))
    small.thumbnail((DECODE_PX, DECODE_PX))
    pixels = np.asarray(small, dtype=float) / 255
    thumb = np.asarray(small.resize((THUMB_PX, THUMB_PX), Image.Resampling.BOX), dtype=float) / 255
    edges = (
        np.abs(np.diff(pixels, axis=0)).mean((0, 1)) + np.abs(np.diff(pixels, axis=1)).mean((0, 1))
        if min(pixels.shape[:2]) > 1
        else np.zeros(3)
    )
    hists = [np.histogram(pixels[..., c], BINS, (0, 1))[0] / pixels[..., c].size for c in range(3)]
    return np.concatenate(
        [[width, height], pixels.mean((0, 1)), pixels.std((0, 1)), edges, *hists, thumb.ravel()]
    )


def _shared(*parts: list[Path | None]) -> list[ImageFiles]:
    """The images of several tables, as places in one list of files."""
    names = [["" if file is None else str(file) for file in files] for files in parts]
    shared = tuple(dict.fromkeys(f for files in names for f in files))
    place = {file: i for i, file in enumerate(shared)}
    return [
        ImageFiles(shared, np.array([place[f] for f in files], dtype=np.int64)) for files in names
    ]


def ends_of(path: str) -> Iterator[str]:
    """A path, and what is left of it without its first folders."""
    parts = path.split("/")
    return ("/".join(parts[i:]) for i in range(len(parts)))


def _index(folder: Path) -> dict[str, Path | None]:
    """Every image below a folder by path and by name, also without the suffix, where the first in order wins; None for a name in several folders."""
    known: dict[str, Path | None] = {}
    files = images_below(folder)
    for file in files:
        inside = file.relative_to(folder)
        for key in (inside.as_posix(), inside.with_suffix("").as_posix()):
            known.setdefault(key, file)
    names: dict[str, Path | None] = {}
    for file in files:
        for key in (file.name, file.stem):
            first = names.setdefault(key, file)
            if first is not None and first.parent != file.parent:
                names[key] = None
    return {**names, **known}
