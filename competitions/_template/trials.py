"""The trials: one change at a time, each with its hypothesis."""

from pathlib import Path

from fastkaggle_plus import Trial, default_trials, load_comp

TRIALS = (
    *default_trials(load_comp(Path(__file__).parent)),  # a short list of what is installed
    Trial(
        "fine forest",
        "forest.forest_model",
        {"n_estimators": 200, "min_samples_leaf": 2},
        hypothesis="smaller leaves find finer patterns, and more trees reduce the noise",
    ),
)
