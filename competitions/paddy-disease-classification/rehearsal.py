"""Make the rehearsal: synthetic images of leaves in the files of the competition, with a cache."""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
import uuid
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import PIL
import scipy

from fastkaggle_plus import load_comp, rehearse
from fastkaggle_plus.environment import home

HERE = Path(__file__).parent
SOURCE = Path(__file__).read_bytes()
WRONG_LABELS = 0.05  # share of images with a wrong label, so that no model reaches 1.0
LINKED = 0.15  # share of images whose variety is set by their disease
LANDSCAPE = 0.01  # share of images that are wider than high

# number of images in the real training set, and the variety that the disease sets
CLASSES = {
    "bacterial_leaf_blight": (479, "IR20"),
    "bacterial_leaf_streak": (380, "Zonal"),
    "bacterial_panicle_blight": (337, "Ponni"),
    "blast": (1738, "KarnatakaPonni"),
    "brown_spot": (965, "AndraPonni"),
    "dead_heart": (1442, "AtchayaPonni"),
    "downy_mildew": (620, "RR"),
    "hispa": (1594, "Onthanel"),
    "normal": (1764, "Ponni"),
    "tungro": (1088, "Surya"),
}
# made-up shares among the other images: one variety dominates, as in the real training set
VARIETIES = {
    "ADT45": 0.75,
    "KarnatakaPonni": 0.08,
    "Ponni": 0.05,
    "AtchayaPonni": 0.03,
    "Zonal": 0.03,
    "AndraPonni": 0.02,
    "Onthanel": 0.02,
    "IR20": 0.01,
    "RR": 0.005,
    "Surya": 0.005,
}

# The first four are the columns of train.csv.
COLUMNS = ["image_id", "label", "variety", "age", "shown", "is_landscape"]


def make(
    dest: str | Path,
    *,
    seed: int = 42,
    n_images: int = 600,  # before 30% of them are held out
    height_px: int = 192,  # a real photograph has 640
    width_px: int = 144,  # and 480
) -> Path:
    """Write a bundle for the sandbox into `dest`. Raises DataError if there are too few images."""
    comp, rows = load_comp(HERE), draw_rows(seed, n_images)
    painting = comp.module("painting")
    assert painting is not None
    with tempfile.TemporaryDirectory() as folder:
        rows[COLUMNS[:4]].to_csv(Path(folder) / comp.train, index=False, lineterminator="\n")
        files = [
            Path(folder) / "train_images" / label / image_id
            for label, image_id in zip(rows["label"], rows["image_id"], strict=True)
        ]
        for file in files:
            file.parent.mkdir(parents=True, exist_ok=True)
        kept = _cache(
            SOURCE + painting.SOURCE, f"seed {seed}, {n_images} images of {height_px} x {width_px}"
        )
        if not _unpack(kept, files):
            _paint_all(painting, files, rows, seed=seed, size_px=(height_px, width_px))
            _pack(kept, files)
        return rehearse(comp, folder, dest, seed=seed)


def draw_rows(seed: int, n_images: int) -> pd.DataFrame:
    """Return the facts of each image. Row i depends only on (seed, i)."""
    return pd.DataFrame(
        [_row(np.random.default_rng([seed, i, 0]), i) for i in range(n_images)], columns=COLUMNS
    )


def _row(rng: np.random.Generator, i: int) -> dict[str, Any]:
    counts = np.array([n for n, _ in CLASSES.values()])
    shown = list(CLASSES)[rng.choice(len(CLASSES), p=counts / counts.sum())]
    label = rng.choice([c for c in CLASSES if c != shown]) if rng.random() < WRONG_LABELS else shown
    shares = np.array(list(VARIETIES.values()))
    variety = (
        CLASSES[shown][1]
        if rng.random() < LINKED
        else list(VARIETIES)[rng.choice(len(VARIETIES), p=shares / shares.sum())]
    )
    return {
        "image_id": f"{100001 + i}.jpg",
        "label": str(label),
        "variety": variety,
        "age": int(rng.integers(45, 83)),
        "shown": shown,
        "is_landscape": bool(rng.random() < LANDSCAPE),
    }


def _paint_all(
    painting: ModuleType,
    files: list[Path],
    rows: pd.DataFrame,
    *,
    seed: int,
    size_px: tuple[int, int],
) -> None:
    def paint_one(i: int) -> None:
        row = rows.iloc[i]
        height_px, width_px = size_px[::-1] if row["is_landscape"] else size_px
        image = painting.paint(
            row["shown"],
            row["variety"],
            np.random.default_rng([seed, i, 1]),
            height_px=height_px,
            width_px=width_px,
        )
        image.save(files[i], quality=90)

    with ThreadPoolExecutor() as pool:  # numpy and PIL release the interpreter lock
        list(pool.map(paint_one, range(len(files))))


def _cache(source: bytes, settings: str) -> Path:
    """Return the cache file of these images; its name hashes code, libraries and sizes."""
    libraries = f"numpy {np.__version__}, scipy {scipy.__version__}, pillow {PIL.__version__}"
    digest = hashlib.sha256(source + f"{settings}, {libraries}".encode()).hexdigest()
    return home() / "cache" / "paddy-disease-classification" / f"{digest[:16]}.zip"


def _unpack(kept: Path, files: list[Path]) -> bool:
    """Unpack the images from the cache. Return False if one is missing or damaged."""
    try:
        with zipfile.ZipFile(kept) as packed:
            for file in files:
                file.write_bytes(packed.read(file.name))
    except (OSError, KeyError, ValueError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error):
        return False
    return True


def _pack(kept: Path, files: list[Path]) -> None:
    """Write the images to the cache. The rename is atomic, so other processes see a whole file."""
    part = kept.with_suffix(f".{uuid.uuid4().hex}.part")
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(part, "w") as packed:
            for file in files:
                packed.write(file, file.name)
        part.replace(kept)
    except OSError:  # a full disk or a read-only home: the next call paints again
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
