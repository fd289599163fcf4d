"""The rehearsal: pairs from a small written phrase bank in the files of the patent competition. A stand-in, never the patents."""

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from fastkaggle_plus import load_comp, rehearse

UNRELATED = 4   # pairs with the target of some anchor of another context, for each anchor
KEPT = 0.9      # share of the bank's pairs that one seed draws


def make(dest: str | Path, *, seed: int = 42) -> Path:
    "Write a bundle for the sandbox into `dest`: the pairs of some anchors are held out."
    comp, rng = load_comp(Path(__file__).parent), np.random.default_rng(seed)
    bank = pd.read_csv(Path(__file__).parent / "phrases.csv")
    pairs = [bank[rng.random(len(bank)) < KEPT]]
    for anchor, context in bank[["anchor", "context"]].drop_duplicates().itertuples(index=False):
        others = bank[bank["context"].str[0] != context[0]]["target"]
        targets = others.iloc[rng.choice(len(others), UNRELATED, replace=False)]
        pairs.append(pd.DataFrame({"anchor": anchor, "target": targets, "context": context, "score": 0.0}))
    rows = pd.concat(pairs, ignore_index=True).drop_duplicates(["anchor", "target"])
    rows = rows.iloc[rng.permutation(len(rows))]
    rows.insert(0, "id", [rng.bytes(8).hex() for _ in range(len(rows))])
    with tempfile.TemporaryDirectory() as folder:
        rows.to_csv(Path(folder) / comp.train, index=False, columns=["id", "anchor", "target", "context", "score"], lineterminator="\n")
        return rehearse(comp, folder, dest, seed=seed)
