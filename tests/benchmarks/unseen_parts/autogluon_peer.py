"""Run AutoGluon on one data set, in an environment that has it; this package is not needed.

python autogluon_peer.py PRESET FOLDER-OF-THE-SET OUTPUT SECONDS CORES
"""

import json
import sys
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd

METRICS = {
    "auc": "roc_auc",
    "rmse": "root_mean_squared_error",
    "rmsle": "root_mean_squared_error",  # of the logarithm
    "mae": "mean_absolute_error",
    "pearson": "pearsonr",
}
FOLDS = 8  # AutoGluon's own number, if it bags


def main(preset: str, folder: Path, out: Path, *, limit_s: float, cores: int) -> None:
    from autogluon.tabular import TabularPredictor

    facts = tomllib.loads((folder / "competition.toml").read_text("utf-8"))
    id, target, is_log = facts["id"], facts["target"], facts["metric"] == "rmsle"
    train, test = (
        pd.read_csv(folder / f"{part}.csv").drop(columns=id) for part in ("train", "test")
    )
    if is_log:
        train[target] = np.log1p(train[target])
    # one thread of numbers a core, and all folds in this process: its CPU time is counted
    options: dict = (
        dict(
            ag_args_ensemble={"fold_fitting_strategy": "sequential_local"},
            ds_args={"memory_safe_fits": False},
        )
        if preset == "good_quality"
        else {}
    )
    groups = None
    if facts["split"]["kind"] == "group" and preset == "good_quality":
        groups = "fold of its group"
        codes = pd.factorize(train[facts["split"]["column"]], sort=True)[0]
        train[groups] = np.random.default_rng(0).permutation(codes.max() + 1)[codes] % FOLDS
        options.pop("ds_args")
        options["dynamic_stacking"] = False  # it is not for groups
    predictor = TabularPredictor(
        target,
        problem_type=facts["task"],
        eval_metric=METRICS.get(facts["metric"], facts["metric"]),
        path=str(out / "models"),
        groups=groups,
    )
    predictor.fit(train, presets=preset, time_limit=limit_s, num_cpus=cores, num_gpus=0, **options)
    if facts["task"] == "regression":
        answers = predictor.predict(test).to_numpy(float).reshape(-1, 1)
        answers = np.expm1(answers) if is_log else answers
    else:
        # columns in the order of the sorted labels
        answers = predictor.predict_proba(test).sort_index(axis=1).to_numpy(float)
    np.savez_compressed(out / "predictions.npz", test=answers)
    board = predictor.leaderboard(silent=True)[["model", "score_val", "fit_time"]]
    facts = dict(best=predictor.model_best, board=board.to_dict("records"))
    (out / "facts.json").write_text(json.dumps(facts, indent=1), "utf-8")


if __name__ == "__main__":
    _, preset, folder, out, limit_s, cores = sys.argv
    main(preset, Path(folder), Path(out), limit_s=float(limit_s), cores=int(cores))
