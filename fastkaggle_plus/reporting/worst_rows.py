"""The rows that a model predicts worst: photographs, pairs of texts, or rows of a table."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from PIL import ImageOps

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
_MOST_FEATURES = 6  # columns of a table next to the prediction


@dataclass(frozen=True)
class Photo:
    """A photograph of the report, with its prediction."""

    src: str  # data URI; "" for a file that cannot be read
    id: str
    truth: str
    predicted: str
    chance: str  # "0.93, truth 0.02": probabilities of the prediction and of the truth


@dataclass(frozen=True)
class WorstTable:
    """The worst rows as a table of texts."""

    header: tuple[str, ...]
    rows: list[tuple[str, ...]]
    numbers: frozenset[str]  # columns to align right


def worst_photos(preds: Predictions, data: Data, n: int = 12) -> list[Photo]:
    """Return the photographs with the largest losses, as small JPEGs. Raises DataError."""
    worst = top_losses(preds, data, n)
    texts = {c: column_texts(worst[c]) for c in worst}
    chances = [""] * len(worst)
    if preds.vocab:
        pairs = zip(worst["confidence"], worst["probability"], strict=True)
        chances = [f"{predicted:.2f}, truth {truth:.2f}" for predicted, truth in pairs]
    shown = (texts["file"], texts["id"], texts["label"], texts["predicted"], chances)
    return [Photo(_thumbnail_uri(f), *rest) for f, *rest in zip(*shown, strict=True)]


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
    side = (_THUMB_PX, _THUMB_PX)
    pixels = [np.asarray(ImageOps.pad(open_image(f, draft_px=side), side)) for f in worst["file"]]
    return contact_sheet(np.stack(pixels), titles=titles, columns=columns)


def worst_table(
    preds: Predictions,
    data: Data,
    comp: Competition,
    *,
    features: Sequence[str] = (),  # the most important ones, shown first
    n: int = 10,
) -> WorstTable:
    """Return the rows with the largest losses: texts or features, truth, prediction.

    Raises DataError when data and predictions differ in rows or labels.
    """
    worst = top_losses(preds, data, n)
    place = {id: i for i, id in enumerate(data.ids.tolist())}
    outcome = worst[["id", "label", "predicted"]].set_axis([comp.id, "truth", "predicted"], axis=1)
    if preds.vocab:
        outcome["probability of the truth"] = worst["probability"].round(2)
    rows = [place[id] for id in worst["id"].tolist()]
    shown = _columns(data, comp, features).iloc[rows].reset_index(drop=True)
    if data.train.texts is None:
        shown = pd.concat([outcome, shown], axis=1)
    else:  # on a phone, the texts are seen before the id
        shown = pd.concat([shown, outcome.drop(columns=comp.id), outcome[[comp.id]]], axis=1)
    cells = [column_texts(shown[c]) for c in shown]
    numbers = frozenset(str(c) for c in shown if pd.api.types.is_numeric_dtype(shown[c]))
    return WorstTable(tuple(map(str, shown)), list(zip(*cells, strict=True)), numbers)


def _columns(data: Data, comp: Competition, features: Sequence[str]) -> pd.DataFrame:
    """Return the columns of the training rows that explain a prediction to a person."""
    raw = data.raw_train.reset_index(drop=True)
    if data.train.texts is not None:
        context = comp.text.context if comp.text else ""
        names = [c for c in (*data.train.texts, context) if c in raw]
        return raw[list(dict.fromkeys(names))]
    known = pd.concat([raw, data.train.x], axis=1).drop(
        columns=[comp.id, *comp.target], errors="ignore"
    )
    known = known.loc[:, ~known.columns.duplicated()]
    names = [c for c in features if c in known] or list(known)
    return known[names[:_MOST_FEATURES]]


def _thumbnail_uri(file: str) -> str:
    try:
        image = open_image(Path(file), draft_px=(_THUMB_PX, _THUMB_PX))
    except UnreadableImage:
        return ""
    image.thumbnail((_THUMB_PX, _THUMB_PX))
    out = io.BytesIO()
    image.save(out, "JPEG", quality=_JPEG_QUALITY, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(out.getvalue()).decode()}"
