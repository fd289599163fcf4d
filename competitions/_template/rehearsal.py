"""Make the rehearsal: from labelled rows of the competition, or from made-up rows."""

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from fastkaggle_plus import Competition, load_comp, rehearse
from fastkaggle_plus.competition import Images

# Folder with the competition's files, relative to this one. "": the rows are made up.
DATA = ""
N_ROWS = 400
LEVELS = ("ash", "birch", "cedar")
WORDS = (
    "gear",
    "lens",
    "valve",
    "cable",
    "pump",
    "blade",
    "sensor",
    "frame",
    "motor",
    "filter",
    "nozzle",
    "spring",
)


def make(dest: str | Path, *, seed: int = 42) -> Path:
    """Write a bundle for the sandbox into `dest`, with held-out labelled rows."""
    comp = load_comp(Path(__file__).parent)
    if DATA:
        data = (Path(__file__).parent / DATA).resolve()
        return rehearse(comp, data, dest, seed=seed)
    with tempfile.TemporaryDirectory() as folder:
        write_rows(comp, Path(folder), np.random.default_rng(seed))
        return rehearse(comp, folder, dest, seed=seed)


def write_rows(comp: Competition, folder: Path, rng: np.random.Generator) -> None:
    """Write a train file, and images if needed. All columns depend on one hidden quantity."""
    hidden = rng.normal(size=N_ROWS)
    rows = pd.DataFrame({comp.id: np.arange(1, N_ROWS + 1)})
    if comp.kind == "tabular":
        rows["size"] = (hidden + rng.normal(0, 1, N_ROWS)).round(3)
        rows["wood"] = np.array(LEVELS)[np.digitize(hidden + rng.normal(0, 1, N_ROWS), (-0.6, 0.6))]
        rows["seen"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(
            rng.integers(0, 365, N_ROWS), unit="D"
        )
        rows.loc[rng.random(N_ROWS) < 0.05, "size"] = None
    elif comp.kind == "text":
        first, *others = (comp.text.columns if comp.text else ()) or ("text",)
        texts = rng.choice(WORDS, (N_ROWS, 4))
        rows[first] = [" ".join(t) for t in texts]
        for c in others:  # a larger hidden quantity means more common words
            rows[c] = [
                " ".join([*t[:n], *rng.choice(WORDS, 4 - n)])
                for t, n in zip(texts, np.digitize(hidden, (-1, 0, 1)), strict=True)
            ]
        if comp.text and comp.text.context:
            rows[comp.text.context] = rng.choice(LEVELS, N_ROWS)
        if not others:
            rows[first] += np.where(hidden + rng.normal(0, 0.5, N_ROWS) > 0, " new", " old")
    for i, name in enumerate(comp.target):
        values = hidden + rng.normal(0, 0.3 + 0.1 * i, N_ROWS)
        by_task = {
            "regression": (np.exp(values / 2) * 10).round(3),
            "binary": (values > 0).astype(int),
            "multiclass": np.array(LEVELS)[np.digitize(values, (-0.6, 0.6))],
        }
        rows[name] = by_task[comp.task]
    if comp.split.column and comp.split.column not in rows:
        rows[comp.split.column] = rng.integers(0, 40, N_ROWS)
    rows.to_csv(folder / comp.train, index=False, lineterminator="\n")
    if comp.kind == "images":
        write_images(comp, rows, hidden, folder, rng)


def write_images(
    comp: Competition,
    rows: pd.DataFrame,
    hidden: np.ndarray,
    folder: Path,
    rng: np.random.Generator,
) -> None:
    """Write a small noisy picture for each row; a larger hidden quantity makes it redder."""
    from PIL import Image

    where = comp.images or Images()
    for (_, row), h in zip(rows.iterrows(), hidden, strict=True):
        pixels = (
            rng.normal((128 + 40 * h, 128, 128 - 20 * h), 30, (24, 32, 3))
            .clip(0, 255)
            .astype("uint8")
        )
        file = (
            folder / where.train_folder / where.name.format(**{**row.to_dict(), "id": row[comp.id]})
        )
        file = file if file.suffix else file.with_suffix(".png")
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(file)
