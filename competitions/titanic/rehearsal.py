"""Make Titanic's rehearsal: hold out labelled rows, and add the course's models as rivals."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from fastkaggle_plus.competition import read_competition
from fastkaggle_plus.modeling import one_r_model, tree_model
from fastkaggle_plus.sandbox import rehearse

HERE = Path(__file__).parent
COURSE_COLUMNS = ("Sex", "Embarked", "Pclass", "Age", "SibSp", "Parch", "Fare")


def make(dest: Path, seed: int = 42) -> Path:
    """Make the bundle in dest/titanic and return its folder."""
    comp = read_competition(HERE / "competition.toml")
    bundle = rehearse(comp, HERE, dest, seed=seed)
    data = comp.read_files(bundle / "files")
    course_columns = data.train.only(COURSE_COLUMNS)
    (bundle / "references").mkdir(exist_ok=True)
    rivals = {"OneR": one_r_model(), "course tree": tree_model(min_samples_leaf=50)}
    for team, model in rivals.items():
        answers = model.fit(course_columns).predict(data.test).argmax(1)
        pd.DataFrame({comp.id: data.test_ids, comp.target[0]: answers}).to_csv(
            bundle / "references" / f"{team}.csv", index=False
        )
    return bundle
