"""Run AutoGluon on one data set, in an environment that has it; this package is not needed.

python autogluon_peer.py PRESET FOLDER-OF-THE-SET OUTPUT SECONDS CORES
"""

import json
import sys
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

METRICS = {
    "auc": "roc_auc",
    "rmse": "root_mean_squared_error",
    "rmsle": "root_mean_squared_error",  # of the logarithm
    "mae": "mean_absolute_error",
    "pearson": "pearsonr",
}
FOLDS = "fold of the group"  # a column; AutoGluon bags by its 8 values
# all folds are fitted in this process, so that their CPU time is counted
BAGGED = dict(ag_args_ensemble={"fold_fitting_strategy": "sequential_local"})


def main(preset: str, folder: Path, out: Path, *, limit_s: float, cores: int) -> None:
    from autogluon.tabular import TabularPredictor

    comp = tomllib.loads((folder / "competition.toml").read_text("utf-8"))
    target, is_log = comp["target"], comp["metric"] == "rmsle"
    train, test = (
        pd.read_csv(folder / f"{name}.csv").drop(columns=comp["id"]) for name in ("train", "test")
    )
    if is_log:
        train[target] = np.log1p(train[target])
    options: dict[str, Any] = {}
    is_grouped = preset == "good_quality" and comp["split"]["kind"] == "group"
    if is_grouped:  # groups exclude AutoGluon's search for the number of layers
        codes = pd.factorize(train[comp["split"]["column"]], sort=True)[0]
        train[FOLDS] = np.random.default_rng(0).permutation(codes.max() + 1)[codes] % 8
        options = BAGGED | dict(dynamic_stacking=False)
    elif preset == "good_quality":
        options = BAGGED | dict(ds_args={"memory_safe_fits": False})
    predictor = TabularPredictor(
        target,
        problem_type=comp["task"],
        eval_metric=METRICS.get(comp["metric"], comp["metric"]),
        path=str(out / "models"),
        groups=FOLDS if is_grouped else None,
    )
    predictor.fit(train, presets=preset, time_limit=limit_s, num_cpus=cores, num_gpus=0, **options)
    if comp["task"] == "regression":
        answers = predictor.predict(test).to_numpy(float).reshape(-1, 1)
        answers = np.expm1(answers) if is_log else answers
    else:  # columns in the order of the labels
        answers = predictor.predict_proba(test).sort_index(axis=1).to_numpy(float)
    np.savez_compressed(out / "predictions.npz", test=answers)
    board = predictor.leaderboard(silent=True)[["model", "score_val", "fit_time"]]
    facts = dict(best=predictor.model_best, board=board.to_dict("records"))
    (out / "facts.json").write_text(json.dumps(facts, indent=1), "utf-8")


if __name__ == "__main__":
    _, preset, folder, out, limit_s, cores = sys.argv
    main(preset, Path(folder), Path(out), limit_s=float(limit_s), cores=int(cores))
