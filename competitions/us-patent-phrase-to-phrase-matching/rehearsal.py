"""The rehearsal: a written bank of technical phrases in the files of the patent competition. A stand-in, never the patents."""

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from fastkaggle_plus import load_comp, rehearse

HERE = Path(__file__).parent


def make(dest: str | Path, *, seed: int = 42) -> Path:
    "Write a bundle for the sandbox into `dest`: the pairs of some anchors are held out, and most of them hidden."
    rows, rng = bank(), np.random.default_rng(seed)
    rows = rows.iloc[rng.permutation(len(rows))]
    rows.insert(0, "id", [rng.bytes(8).hex() for _ in range(len(rows))])
    with tempfile.TemporaryDirectory() as folder:
        comp = load_comp(HERE)
        rows.to_csv(Path(folder) / comp.train, index=False, lineterminator="\n")
        return rehearse(comp, folder, dest, seed=seed)


def bank() -> pd.DataFrame:
    "Return the pairs: anchor, target, context, score."
    files = sorted((HERE / "bank").glob("*.csv"))
    return pd.concat(map(pd.read_csv, files), ignore_index=True)
