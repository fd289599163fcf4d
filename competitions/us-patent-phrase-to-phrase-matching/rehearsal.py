"""Make the rehearsal: synthetic pairs of technical phrases, in the files of the competition."""

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from fastkaggle_plus import load_comp, rehearse

HERE = Path(__file__).parent
STEP = 0.25  # between two scores
KEPT = 0.75  # share of the bank's pairs that we use
REPEATED = 0.4  # share of pairs that we repeat in other words, as real anchors do
RESCORED = 0.15  # share of these repetitions with a score one step away


def make(dest: str | Path, *, seed: int = 42) -> Path:
    """Write a bundle for the sandbox into `dest`; the pairs of some anchors are held out."""
    rng = np.random.default_rng(seed)
    rows = bank()
    rows = rows[rng.random(len(rows)) < KEPT]
    rows = pd.concat(
        [rows, repeat_in_other_words(rows[rng.random(len(rows)) < REPEATED], rng)],
        ignore_index=True,
    )
    rows = rows.drop_duplicates(["anchor", "target", "context"]).sample(frac=1, random_state=rng)
    rows.insert(0, "id", [rng.bytes(8).hex() for _ in range(len(rows))])
    with tempfile.TemporaryDirectory() as folder:
        comp = load_comp(HERE)
        rows.to_csv(Path(folder) / comp.train, index=False, lineterminator="\n")
        return rehearse(comp, folder, dest, seed=seed)


def bank() -> pd.DataFrame:
    """Return the pairs: anchor, target, context, score."""
    files = sorted((HERE / "bank").glob("*.csv"))
    return pd.concat(map(pd.read_csv, files), ignore_index=True)


def repeat_in_other_words(rows: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Return the rows with other words, as `tank for milk`, and a few other scores."""
    *_, first = np.split(rng.permutation(len(rows)), [len(rows) // 2])
    words = [target.split() for target in rows["target"]]
    turned = [
        f"{phrase[-1]} for {' '.join(phrase[:-1])}" if len(phrase) > 1 else f"{phrase[0]} unit"
        for phrase in words
    ]
    plural = [f"{target}s" for target in rows["target"]]
    is_plural = np.isin(np.arange(len(rows)), first)
    change = np.where(rng.random(len(rows)) < RESCORED, rng.choice([-STEP, STEP], len(rows)), 0.0)
    return rows.assign(
        target=np.where(is_plural, plural, turned), score=(rows["score"] + change).clip(0, 1)
    )
