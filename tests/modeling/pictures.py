"""Small pictures with a class in them, as files and as Data: stripes across, upright, or both; hue and width at random."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from fastkaggle_plus.data import Data
from fastkaggle_plus.reading.images import read_images

CLASSES = ("across", "grid", "upright")  # unchanged by a mirror


def draw(label: str, rng: np.random.Generator, *, height: int = 40, width: int = 32) -> Image.Image:
    """Draw stripes on noise."""
    y, x = np.mgrid[:height, :width]
    across, upright = (
        np.sin(place * rng.uniform(0.8, 1.1) + rng.uniform(0, 6)) for place in (y, x)
    )
    wave = {"across": across, "upright": upright, "grid": (across + upright) / 2}[label]
    pixels = rng.uniform(80, 150, 3) + 70 * wave[..., None] + rng.normal(0, 12, (height, width, 3))
    return Image.fromarray(pixels.clip(0, 255).astype("uint8"))


def make_pictures(folder: Path, *, n: int = 60, n_test: int = 15, seed: int = 0) -> Data:
    """Write the files of a small image competition and read them; `shade` is a second label, by the row's number."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(CLASSES, n + n_test)
    rows = pd.DataFrame({"image_id": [f"{i:04d}.png" for i in range(n + n_test)], "label": labels})
    for i, (name, label) in enumerate(rows.itertuples(index=False)):
        file = folder / ("train_images" if i < n else "test_images") / name
        file.parent.mkdir(parents=True, exist_ok=True)
        draw(label, rng).save(file)
    rows[:n].assign(shade=np.where(labels[:n] == "grid", "dark", "light")).to_csv(
        folder / "train.csv", index=False
    )
    rows[n:].assign(label="grid").to_csv(folder / "sample_submission.csv", index=False)
    return read_pictures(folder)


def read_pictures(folder: Path) -> Data:
    """Read what `make_pictures` wrote."""
    data = read_images(
        folder,
        id="image_id",
        target=("label",),
        task="multiclass",
        test="sample_submission.csv",
        name="{image_id}",
    )
    return dataclasses.replace(data, metric="accuracy")
