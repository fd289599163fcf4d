"""Titanic's rehearsal: real rows, of which labelled ones are held out, and the course's own answers as entries to beat."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from fastkaggle_plus.competition import read_competition
from fastkaggle_plus.modeling import one_r_model, tree_model
from fastkaggle_plus.sandbox import rehearse

HERE = Path(__file__).parent


def make(dest: Path, seed: int = 42) -> Path:
    "Make the bundle in dest/titanic and return its folder."
    comp = read_competition(HERE / "competition.toml")
    bundle = rehearse(comp, HERE, dest, seed=seed)
    data = comp.read_files(bundle / "files")
    plain = data.train.only(
        ("Sex", "Embarked", "Pclass", "Age", "SibSp", "Parch", "Fare")
    )  # the course's columns
    (bundle / "references").mkdir(exist_ok=True)
    for team, model in {
        "OneR": one_r_model(),
        "course tree": tree_model(min_samples_leaf=50),
    }.items():
        answers = model.fit(plain).predict(data.test).argmax(1)
        pd.DataFrame({comp.id: data.test_ids, comp.target[0]: answers}).to_csv(
            bundle / "references" / f"{team}.csv", index=False
        )
    return bundle
