"""The declared candidates: one change at a time, each with what it is to find out."""

from pathlib import Path

from fastkaggle_plus import Trial, default_trials, load_comp

TRIALS = (
    *default_trials(load_comp(Path(__file__).parent)),  # one of each model family that is installed
    Trial(
        "fine forest",
        "forest.forest_model",
        {"n_estimators": 200, "min_samples_leaf": 2},
        hypothesis="smaller leaves find more, and more trees average it out",
    ),
)
