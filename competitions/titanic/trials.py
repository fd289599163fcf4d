"""Titanic's trials, one idea each: from a single rule to boosted trees."""

from __future__ import annotations

from fastkaggle_plus import Trial, experiment

# The columns of lesson 5.
COURSE_COLUMNS = ["Age", "SibSp", "Parch", "LogFare", "Sex", "Pclass", "Embarked"]

ENSEMBLE = "mean"  # of the trials with in_ensemble, chosen before we saw any score

LINEAR = Trial(
    "linear from scratch",
    "scratch.linear_model",
    {"columns": COURSE_COLUMNS},
    "Lesson 5: a linear model with a mean absolute error.",
    in_ensemble=False,
)
NET = experiment(
    "Lesson 5: a hidden layer beats the linear model.",
    base=LINEAR,
    model="scratch.net_model",
    name="net from scratch",
)
BOOSTING = Trial(
    "hist gradient boosting",
    "boosting.hist_gradient_boosting_model",
    hypothesis="Trees that correct each other's errors beat trees that vote.",
)

TRIALS = (
    Trial(
        "one rule",
        "forest.one_r_model",
        hypothesis="One column explains most of it.",
        in_ensemble=False,
    ),
    Trial(
        "tree, 4 leaves",
        "forest.tree_model",
        {"max_leaf_nodes": 4},
        "Two questions are better than one.",
        in_ensemble=False,
    ),
    Trial(
        "tree, 50 a leaf",
        "forest.tree_model",
        {"min_samples_leaf": 50},
        "A larger tree with many rows per leaf does not overfit.",
        in_ensemble=False,
    ),
    LINEAR,
    NET,
    experiment(
        "Lesson 5: two hidden layers beat one.",
        base=NET,
        model="scratch.deep_net_model",
        name="deep net from scratch",
    ),
    Trial(
        "fastai net",
        "tabular.tabular_model",
        {"layers": [10, 10], "epochs": 16, "lr": 0.03},
        "A framework and engineered features beat the nets from scratch.",
        in_ensemble=False,
    ),
    Trial(
        "bag of 5 fastai nets",
        "bagging.bag_model",
        {
            "model": "tabular.tabular_model",
            "n": 5,
            "params": {"layers": [10, 10], "epochs": 16, "lr": 0.03},
        },
        "Bagging works for nets as it does for trees.",
        in_ensemble=False,
        base="fastai net",
    ),
    Trial(
        "women and children",
        "women_and_children.women_and_children_model",
        hypothesis="Men die; women and boys share the fate of their party.",
    ),
    Trial(
        "random forest",
        "forest.forest_model",
        {"n_estimators": 100, "min_samples_leaf": 5},
        "Many trees beat one.",
    ),
    BOOSTING,
    Trial(
        "lightgbm",
        "boosting.lightgbm_model",
        hypothesis="The same idea in another library makes other mistakes.",
    ),
    Trial(
        "xgboost",
        "boosting.xgboost_model",
        hypothesis="The same idea in another library makes other mistakes.",
    ),
    experiment(
        "Ordered boosting works best with few rows.",
        base=BOOSTING,
        model="boosting.catboost_model",
        name="catboost",
    ),
)
