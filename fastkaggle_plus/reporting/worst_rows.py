"""The rows that a model predicts worst: photographs, pairs of texts, or rows of a table."""

import base64
import io
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from PIL import Image, ImageOps

from ..competition import Competition
from ..data import Data
from ..evidence import top_losses
from ..exceptions import DataError, UnreadableImage
from ..predictions import Predictions
from ..reading.image_files import open_image
from .contact_sheet import contact_sheet
from .digits import column_texts

_THUMB_PX = 240  # side of a photograph in the report; shown at half of it
_JPEG_QUALITY = 70
_MOST_LETTERS, _LONG_LETTERS = 240, 60  # of a text: it is cut, or needs a wide column
_MOST_FEATURES = 6  # columns of a table next to the prediction


@dataclass(frozen=True)
class Photo:
    """A photograph of the report, with its prediction."""

    src: str  # data URI; "" for a file that cannot be read
    id: str
    truth: str
    predicted: str
    truth_chance: str = ""  # probability of the truth, with classes
    chance: str = ""  # probability of the predicted class


@dataclass(frozen=True)
class ShownTable:
    """Rows of a table as texts."""

    header: tuple[str, ...]
    rows: list[tuple[str, ...]]
    styles: tuple[str, ...]  # of each column: n (number), words or text (long words)


def worst_photos(preds: Predictions, data: Data, n: int = 12) -> list[Photo]:
    """Return the photographs with the largest losses, as small JPEGs. Raises DataError."""
    worst = top_losses(preds, data, n)
    texts = {c: column_texts(worst[c]) for c in worst}
    shown = [texts[c] for c in ("file", "id", "label", "predicted")]
    if preds.vocab:
        shown += [[f"{p:.2f}" for p in worst[c]] for c in ("probability", "confidence")]
    return [Photo(_data_uri(_opened(f)), *rest) for f, *rest in zip(*shown, strict=True)]


def plot_worst_photos(preds: Predictions, data: Data, n: int = 12, *, columns: int = 4) -> Figure:
    """Draw the photographs with the largest losses: truth, prediction, probability.

    Raises DataError for data without images.
    """
    if data.train.images is None:
        raise DataError("Cannot draw photographs: the data has no images. Use top_losses instead.")
    worst = top_losses(preds, data, n)
    titles = [
        f"{row['label']}, predicted\n{row['predicted']}"
        + (f" ({row['confidence']:.2f})" if preds.vocab else "")
        for row in worst.to_dict("records")
    ]
    blank, side = Image.new("RGB", (1, 1)), (_THUMB_PX, _THUMB_PX)
    pixels = [np.asarray(ImageOps.pad(_opened(f) or blank, side)) for f in worst["file"]]
    return contact_sheet(np.stack(pixels), titles=titles, columns=columns)


def worst_table(
    preds: Predictions,
    data: Data,
    comp: Competition,
    *,
    features: Sequence[str] = (),  # the most important ones, shown first
    n: int = 10,
) -> ShownTable:
    """Return the rows with the largest losses: texts or features, truth, prediction.

    Raises DataError when data and predictions differ in rows or labels.
    """
    worst = top_losses(preds, data, n)
    place = {id: i for i, id in enumerate(data.ids.tolist())}
    outcome = worst[["id", "label", "predicted"]].set_axis([comp.id, "truth", "predicted"], axis=1)
    if preds.vocab:
        outcome["probability of the truth"] = worst["probability"].round(2)
    shown = _columns(data, comp, features, rows=[place[id] for id in worst["id"].tolist()])
    if data.train.texts is None:
        shown = pd.concat([outcome, shown], axis=1)
    else:  # a phone shows the first columns: the texts, not the id
        topic = comp.text.context if comp.text else ""
        texts = [c for c in shown if c in data.train.texts and c != topic]
        context = shown.drop(columns=texts)
        shown = pd.concat([shown[texts], outcome.iloc[:, 1:], context, outcome[[comp.id]]], axis=1)
    columns = [shown.iloc[:, i] for i in range(shown.shape[1])]  # two may have one name
    cells = [[textwrap.shorten(t, _MOST_LETTERS) for t in column_texts(c)] for c in columns]
    styles = tuple(_style(c, texts) for c, texts in zip(columns, cells, strict=True))
    return ShownTable(tuple(map(str, shown)), list(zip(*cells, strict=True)), styles)


def _style(column: pd.Series, texts: list[str]) -> str:
    if pd.api.types.is_numeric_dtype(column):
        return "n"
    return "text" if max(map(len, texts), default=0) > _LONG_LETTERS else "words"


def _columns(
    data: Data, comp: Competition, features: Sequence[str], *, rows: list[int]
) -> pd.DataFrame:
    """Return the columns that explain the predictions of these training rows to a person."""
    raw = data.raw_train.iloc[rows].reset_index(drop=True)
    if data.train.texts is not None:
        context = comp.text.context if comp.text else ""
        names = [c for c in (*data.train.texts, context) if c in raw]
        return raw[list(dict.fromkeys(names))]
    known = pd.concat([raw, data.train.x.iloc[rows].reset_index(drop=True)], axis=1)
    known = known.loc[:, ~known.columns.duplicated()]
    known = known.drop(columns=[comp.id, *comp.target], errors="ignore")
    names = [c for c in features if c in known] or list(known)
    return known[names[:_MOST_FEATURES]]


def _opened(file: str) -> Image.Image | None:
    """Return an image as a thumbnail, None if it cannot be read."""
    try:
        image = open_image(file, draft_px=(_THUMB_PX, _THUMB_PX))
    except UnreadableImage:
        return None
    image.thumbnail((_THUMB_PX, _THUMB_PX))
    return image


def _data_uri(image: Image.Image | None) -> str:
    if image is None:
        return ""
    out = io.BytesIO()
    image.save(out, "JPEG", quality=_JPEG_QUALITY, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(out.getvalue()).decode()}"
