"""The rehearsal: a written bank of technical phrases in the files of the patent competition. A stand-in, never the patents."""

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from fastkaggle_plus import load_comp, rehearse

HERE = Path(__file__).parent
STEP = 0.25  # of the scale from 0 to 1
KEPT = 0.75  # share of the bank's pairs that one seed draws
SAID_TWICE = 0.4  # share of these whose target is also there in other words: an anchor's fifty targets say much twice
OTHERWISE = 0.15  # share of those that were judged a step apart


def make(dest: str | Path, *, seed: int = 42) -> Path:
    "Write a bundle for the sandbox into `dest`: the pairs of some anchors are held out, and most of them hidden."
    rng = np.random.default_rng(seed)
    rows = bank()
    rows = rows[rng.random(len(rows)) < KEPT]
    rows = pd.concat(
        [rows, said_again(rows[rng.random(len(rows)) < SAID_TWICE], rng)], ignore_index=True
    )
    rows = rows.drop_duplicates(["anchor", "target", "context"]).sample(frac=1, random_state=rng)
    rows.insert(0, "id", [rng.bytes(8).hex() for _ in range(len(rows))])
    with tempfile.TemporaryDirectory() as folder:
        comp = load_comp(HERE)
        rows.to_csv(Path(folder) / comp.train, index=False, lineterminator="\n")
        return rehearse(comp, folder, dest, seed=seed)


def bank() -> pd.DataFrame:
    "Return the pairs: anchor, target, context, score."
    files = sorted((HERE / "bank").glob("*.csv"))
    return pd.concat(map(pd.read_csv, files), ignore_index=True)


def said_again(rows: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    "Return the rows with each target in other words, as `tank for milk` of `milk tank`; a few are scored a step higher or lower."
    *_, first = np.split(rng.permutation(len(rows)), [len(rows) // 2])
    words = [target.split() for target in rows["target"]]
    turned = [
        f"{said[-1]} for {' '.join(said[:-1])}" if len(said) > 1 else f"{said[0]} unit"
        for said in words
    ]
    plural = [f"{target}s" for target in rows["target"]]
    is_plural = np.isin(np.arange(len(rows)), first)
    apart = np.where(rng.random(len(rows)) < OTHERWISE, rng.choice([-STEP, STEP], len(rows)), 0.0)
    return rows.assign(
        target=np.where(is_plural, plural, turned), score=(rows["score"] + apart).clip(0, 1)
    )
