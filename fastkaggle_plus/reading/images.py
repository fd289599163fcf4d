"""The default reader of images: an honest baseline of colours, a thumbnail and edges, as numbers any model takes."""

from __future__ import annotations

import dataclasses
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..data import Data
from ..exceptions import DataError
from .tables import read_tabular

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff")
BINS = 8          # of each colour's histogram
THUMB_PX = 6      # side of the thumbnail
DECODE_PX = 96    # images are shrunk to about this side first
_SHOWN = 5        # file names listed in an error

Array = np.ndarray[Any, Any]


def read_images(
    path: str | Path,                   # folder with the csv files and the image folders
    *,
    train_folder: str = "train_images",
    test_folder: str = "test_images",
    name: str = "{id}",                 # file name from the id and other columns, as in "{label}/{image_id}"; a missing suffix is found
    **facts: Any,                       # what `read_tabular` takes
) -> Data:
    """Read an image competition: features of each row's image, beside those of its other columns.

    A baseline to beat: networks see the images themselves. Rows whose image is not there or does not decode have missing
    features and are counted in `left_out`. Raises DataError when no image of train or test can be read.
    """
    data = read_tabular(path, **facts, keep_text=True)
    frames, left_out = [], dict(data.left_out)
    for rows, part, folder in ((data.raw_train, "train", train_folder), (data.raw_test, "test", test_folder)):
        files = find_images(rows, Path(path) / folder, id=facts["id"], name=name)
        features = image_features(files)
        lost = [str(i) for i, bad in zip(rows[facts["id"]], np.isnan(features["width_px"]), strict=True) if bad]
        if len(lost) == len(rows):
            raise DataError(f"None of the {len(rows)} {part} images can be read from {Path(path) / folder}, the first of {facts['id']} {lost[0]}. "
                            "Check train_folder, test_folder and name in [images] of competition.toml.")
        if lost:
            left_out[f"{part} images"] = f"{len(lost)} not there or not readable: {', '.join(lost[:_SHOWN])}" + (", ..." if len(lost) > _SHOWN else "")
        frames.append(features)
    useful = [str(c) for c in frames[0] if frames[0][c].nunique() > 1]
    x, x_test = (pd.concat([t.x.reset_index(drop=True), f[useful]], axis=1) for t, f in zip((data.train, data.test), frames, strict=True))
    read = data.with_features(x, x_test, cat_names=data.train.cat_names, cont_names=(*data.train.cont_names, *useful), in_fold=data.in_fold)
    return dataclasses.replace(read, left_out=left_out)


def find_images(
    rows: pd.DataFrame,
    folder: Path,
    *,
    id: str,     # the id column
    name: str,   # the template, see `read_images`
) -> list[Path | None]:
    "Return each row's image, or None: by the template, else anywhere in the folder by the last part of the template or by the id."
    known = _index(folder)
    columns = {c: [str(v) for v in rows[c]] for c in set(re.findall(r"{(\w+)}", name)) & set(rows.columns)}
    ids = rows[id].astype(str).tolist()
    found = []
    for i, this in enumerate(ids):
        values = {**{c: v[i] for c, v in columns.items()}, "id": this}
        wanted = re.sub(r"{(\w+)}", lambda m, v=values: v.get(m[1], m[0]), name)  # type: ignore[misc]
        found.append(next((known[key] for key in (wanted, wanted.rsplit("/", 1)[-1], this) if key in known), None))
    return found


def image_features(files: list[Path | None]) -> pd.DataFrame:
    "Return one row of numbers for each image; all missing where there is none or it does not decode."
    with ThreadPoolExecutor() as pool:  # decoding releases the interpreter lock
        rows = list(pool.map(_features, files))
    names = ["width_px", "height_px", *(f"{s}_{c}" for s in ("mean", "spread", "edges") for c in "rgb"),
             *(f"hist_{c}{i}" for c in "rgb" for i in range(BINS)), *(f"thumb_{c}{y}{x}" for y in range(THUMB_PX) for x in range(THUMB_PX) for c in "rgb")]
    missing = np.full(len(names), np.nan)
    return pd.DataFrame(np.vstack([missing if r is None else r for r in rows]), columns=names)


def _features(file: Path | None) -> Array | None:
    from PIL import Image

    if file is None:
        return None
    try:
        with Image.open(file) as opened:
            size = opened.size
            opened.draft("RGB", (DECODE_PX, DECODE_PX))
            image = opened.convert("RGB")
            image.thumbnail((DECODE_PX, DECODE_PX))
            pixels = np.asarray(image, dtype=float) / 255
            thumb = np.asarray(image.resize((THUMB_PX, THUMB_PX), Image.Resampling.BOX), dtype=float) / 255
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):  # what PIL raises for a damaged file
        return None
    edges = np.abs(np.diff(pixels, axis=0)).mean((0, 1)) + np.abs(np.diff(pixels, axis=1)).mean((0, 1)) if min(pixels.shape[:2]) > 1 else np.zeros(3)
    hists = [np.histogram(pixels[..., c], BINS, (0, 1))[0] / pixels[..., c].size for c in range(3)]
    return np.concatenate([size, pixels.mean((0, 1)), pixels.std((0, 1)), edges, *hists, thumb.ravel()])


def _index(folder: Path) -> dict[str, Path]:
    "Every image below a folder, by path, by name, and by both without the suffix; the first in order wins."
    known: dict[str, Path] = {}
    for file in sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES):
        inside = file.relative_to(folder)
        for key in (inside.as_posix(), inside.with_suffix("").as_posix(), file.name, file.stem):
            known.setdefault(key, file)
    return known
