"""Read image competitions: image files, and a baseline of colours, thumbnails and edges."""

import dataclasses
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import PIL
from PIL.Image import Resampling

from ..data import Array, Data, ImageFiles
from ..exceptions import DataError, listed
from .array_cache import cached_array
from .image_files import images_below, open_header, open_image, size_px
from .new_rows import IMAGE, NewRows
from .tables import read_tabular

BINS = 8  # bins of each colour's histogram
THUMB_PX = 6  # side of the thumbnail
DECODE_PX = 96  # images are shrunk to about this side first
_ALGORITHM = 1  # raise it when an edit of this code changes the features of a file


def read_images(
    path: str | Path,  # folder with the csv files and the image folders
    *,
    train_folder: str = "train_images",
    test_folder: str = "test_images",
    name: str = "{id}",  # file name made from columns, as in "{label}/{image_id}"; suffix optional
    **facts: Any,  # arguments of `read_tabular`
) -> Data:
    """Read an image competition: the image of each row, and its colours and edges as features.

    Networks use the images (`Table.images`). The features are a baseline next to other columns.
    Columns that only the training rows have are kept in `Table.also`. Rows whose image is missing
    or does not decode have missing features and are counted in `left_out`.
    Raises DataError when no image of train or test can be read.
    """
    folder = Path(path)
    data = read_tabular(folder, **facts, keep_text=True)
    id, target = facts["id"], facts["target"]
    folders = {"train": folder / train_folder, "test": folder / test_folder}
    raws = {"train": data.raw_train, "test": data.raw_test}
    images = _shared(
        *(find_images(raws[part], folder, id=id, name=name) for part, folder in folders.items())
    )
    features = image_features(images[0].files)
    frames, left_out = [], dict(data.left_out)
    for (part, folder), files in zip(folders.items(), images, strict=True):
        frame = features.iloc[files.rows].reset_index(drop=True)
        frames.append(frame)
        lost = raws[part][id][frame["width_px"].isna().to_numpy()].astype(str).tolist()
        if len(lost) == len(files):
            raise DataError(_no_images(part, folder, files, f"{id} {lost[0]}"))
        if lost:
            left_out[f"{part} images"] = f"{len(lost)} not there or not readable: {listed(lost, 5)}"
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
    only_train = [c for c in data.raw_train if c not in data.raw_test and c not in (id, *target)]
    also = data.raw_train[only_train] if only_train else None
    return dataclasses.replace(
        read,
        left_out=left_out,
        new_rows=NewRows.of(
            dataclasses.replace(read.train, images=images[0]),
            make=ImageColumns(data.new_rows),
            columns={IMAGE: "path"} | data.new_rows.columns,
        ),
        test=dataclasses.replace(read.test, images=images[1]),
        train=dataclasses.replace(read.train, images=images[0], also=also),
    )


@dataclass
class ImageColumns:
    """Makes the features of images in new rows, and of their other columns."""

    others: NewRows | None = None  # of the table; None: the other columns are features already

    def __call__(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return the features of rows with a column `image` of paths."""
        measured = image_features(rows[IMAGE].astype(str).tolist())
        others = self.others.features(rows) if self.others else rows
        return pd.concat([others[[c for c in others if c not in measured]], measured], axis=1)


def _no_images(part: str, folder: Path, files: ImageFiles, first: str) -> str:
    """Explain why no image of train or test can be read."""
    if file := next(filter(None, files), ""):
        return (
            f"None of the {part} images in {folder} decodes, {file} among them. `check_images` "
            "explains each. Download them again."
        )
    return (
        f"None of the {len(files)} {part} images can be read from {folder}, the first of {first}. "
        "Check train_folder, test_folder and name in [images] of competition.toml."
    )


def find_images(
    rows: pd.DataFrame,
    folder: Path,
    *,
    id: str,  # the id column
    name: str,  # the template, see `read_images`
) -> list[Path | None]:
    """Return each row's image, or None.

    It is found by the template, else anywhere in the folder by the last parts of the template or
    by the id. A name of files in several folders finds none of them.
    """
    known = _index(folder)
    names = zip(image_names(rows, id=id, name=name), rows[id].astype(str), strict=True)
    keys = [(*path_endings(path), id_) for path, id_ in names]
    return [next((known[key] for key in row if known.get(key)), None) for row in keys]


def image_names(
    rows: pd.DataFrame,
    *,
    id: str,  # the id column
    name: str,  # the template, see `read_images`
) -> list[str]:
    """Return the template filled in for each row; names of missing columns stay as they are."""
    columns = {
        c: rows[c].astype("string").fillna("").tolist()
        for c in set(re.findall(r"{(\w+)}", name)) & set(rows.columns)
    }
    columns["id"] = rows[id].astype(str).tolist()
    parts = re.split(r"{(\w+)}", name)  # text, column, text, column, ..., text
    filled = [parts[0]] * len(rows)
    for column, text in zip(parts[1::2], parts[2::2], strict=True):
        values = columns.get(column, [f"{{{column}}}"] * len(rows))
        filled = [start + value + text for start, value in zip(filled, values, strict=True)]
    return filled


def image_features(
    files: Sequence[str | Path],  # "" for a row without an image
    *,
    folder: str | Path | None = None,  # the cache; default: FKP_HOME/cache/features
) -> pd.DataFrame:
    """Return a row of numbers for each image, cached; missing without a readable file."""
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
    with open_header(file) as image:
        height, width = size_px(image)
    small = open_image(file, draft_px=(DECODE_PX, DECODE_PX))
    small.thumbnail((DECODE_PX, DECODE_PX))
    pixels = np.asarray(small, dtype=float) / 255
    thumb = np.asarray(small.resize((THUMB_PX, THUMB_PX), Resampling.BOX), dtype=float) / 255
    edges = np.zeros(3)
    if min(pixels.shape[:2]) > 1:
        edges = sum(np.abs(np.diff(pixels, axis=axis)).mean((0, 1)) for axis in (0, 1))
    hists = [np.histogram(pixels[..., c], BINS, (0, 1))[0] / pixels[..., c].size for c in range(3)]
    return np.concatenate(
        [[width, height], pixels.mean((0, 1)), pixels.std((0, 1)), edges, *hists, thumb.ravel()]
    )


def _shared(*parts: list[Path | None]) -> list[ImageFiles]:
    """Return the images of several tables as indices into one list of files."""
    names = [["" if file is None else str(file) for file in files] for files in parts]
    shared = tuple(dict.fromkeys(f for files in names for f in files))
    place = {file: i for i, file in enumerate(shared)}
    return [
        ImageFiles(shared, np.array([place[f] for f in files], dtype=np.int64)) for files in names
    ]


def path_endings(path: str) -> Iterator[str]:
    """Yield a path, and the path without its first folders."""
    parts = path.split("/")
    return ("/".join(parts[i:]) for i in range(len(parts)))


def _index(folder: Path) -> dict[str, Path | None]:
    """Return every image in a folder by path and by name, with and without the suffix.

    Of equal ones the first wins; None for a name in several folders.
    """
    known: dict[str, Path | None] = {}
    names: dict[str, Path | None] = {}
    for file in images_below(folder):
        inside = file.relative_to(folder)
        for key in (inside.as_posix(), inside.with_suffix("").as_posix()):
            known.setdefault(key, file)
        for key in (file.name, file.stem):
            first = names.setdefault(key, file)
            if first is not None and first.parent != file.parent:
                names[key] = None
    return {**names, **known}
