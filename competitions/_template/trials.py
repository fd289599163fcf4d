"""The trials: one change at a time, each with its hypothesis."""

from pathlib import Path

from fastkaggle_plus import Trial, default_trials, experiment, load_comp

FOREST = Trial(
    "larger forest",
    "forest.forest_model",
    {"n_estimators": 200},
    hypothesis="more trees reduce the noise",
)

TRIALS = (
    *default_trials(load_comp(Path(__file__).parent)),  # a short list of what is installed
    FOREST,
    experiment(  # `fkp log` compares it with its base
        "smaller leaves find finer patterns",
        base=FOREST,
        change={"min_samples_leaf": 2},
        # expect=0.005,  # which gain in the metric do you expect? Say it before it runs
        name="fine forest",
    ),
)
