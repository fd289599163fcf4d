"""The rehearsal: small painted pictures in the files of the Paddy competition. A stand-in, never Paddy itself."""

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageFilter

from fastkaggle_plus import load_comp, rehearse

N_IMAGES = 480
WIDTH_PX, HEIGHT_PX = 48, 64
WRONG_LABELS = 0.05  # share of images labelled at random, so that no model reaches 1.0

# share in the real training set, colour of the spots, their number, width and height in pixels
CLASSES = {
    "bacterial_leaf_blight": (479, (205, 195, 120), 6, 3, 18), "bacterial_leaf_streak": (380, (190, 140, 60), 9, 1, 14),
    "bacterial_panicle_blight": (337, (150, 110, 70), 4, 9, 7), "blast": (1738, (150, 140, 120), 7, 4, 8),
    "brown_spot": (965, (110, 70, 40), 16, 3, 3), "dead_heart": (1442, (190, 170, 110), 2, 14, 40),
    "downy_mildew": (620, (190, 205, 130), 5, 8, 8), "hispa": (1594, (205, 215, 190), 10, 1, 12),
    "normal": (1764, (0, 0, 0), 0, 1, 1), "tungro": (1088, (215, 165, 50), 1, 48, 26),
}
VARIETIES = ("ADT45", "KarnatakaPonni", "Ponni", "Zonal")


def make(dest: str | Path, *, seed: int = 42) -> Path:
    "Write a bundle for the sandbox into `dest`: a quarter of the pictures is held out."
    comp, rng = load_comp(Path(__file__).parent), np.random.default_rng(seed)
    counts = np.array([c[0] for c in CLASSES.values()])
    painted = rng.choice(list(CLASSES), N_IMAGES, p=counts / counts.sum())
    labels = np.where(rng.random(N_IMAGES) < WRONG_LABELS, rng.choice(list(CLASSES), N_IMAGES), painted)
    rows = pd.DataFrame({"image_id": [f"{100001 + i}.jpg" for i in range(N_IMAGES)], "label": labels,
                         "variety": rng.choice(VARIETIES, N_IMAGES, p=(0.7, 0.1, 0.1, 0.1)), "age": rng.integers(45, 83, N_IMAGES)})
    with tempfile.TemporaryDirectory() as folder:
        rows.to_csv(Path(folder) / comp.train, index=False, lineterminator="\n")
        for image_id, label, what in zip(rows["image_id"], labels, painted, strict=True):
            file = Path(folder) / "train_images" / label / image_id
            file.parent.mkdir(parents=True, exist_ok=True)
            paint(what, rng).save(file, quality=90)
        return rehearse(comp, folder, dest, seed=seed)


def paint(what: str, rng: np.random.Generator) -> Image.Image:
    "Return green stripes with the spots of one class; the milder the case, the fainter they are."
    _, colour, n_spots, width, height = CLASSES[what]
    green = np.array((90, 140, 60)) * rng.normal(1, 0.12) + rng.normal(0, 10, 3)
    stripes = 18 * np.sin(np.arange(WIDTH_PX) / rng.uniform(1.5, 4) + rng.uniform(0, 6))
    pixels = np.tile(green, (HEIGHT_PX, WIDTH_PX, 1)) + stripes[None, :, None]
    severity = rng.beta(3, 1.2)
    for _ in range(rng.poisson(n_spots) + (n_spots > 0)):
        y, x = rng.integers(0, HEIGHT_PX), rng.integers(0, WIDTH_PX)
        spot = pixels[max(0, y - height // 2) : y + height // 2 + 1, max(0, x - width // 2) : x + width // 2 + 1]
        spot += severity * (np.array(colour) - spot)
    pixels += rng.normal(0, 8, pixels.shape)
    return Image.fromarray(pixels.clip(0, 255).astype("uint8")).filter(ImageFilter.GaussianBlur(rng.uniform(0, 0.8)))
