"""The cheap baseline of each kind of data, without tuning.

Tables: a forest of 300 trees on ordinal codes. Images: frozen features of a small network under a
logistic regression. Texts: tf-idf under a logistic regression, or trees on the overlaps of a pair.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fastkaggle_plus.competition import Competition

ARCH, SIZE_PX = "tf_efficientnet_lite0", 128


def features(comp: Competition, train: pd.DataFrame, test: pd.DataFrame, folder: Path) -> Any:
    """Return the features of the rows of train and then of test. The target is not used."""
    if comp.kind == "images":
        parts = (("train_images", train), ("test_images", test))
        return frozen_features(
            [folder / p / f"{i}.png" for p, rows in parts for i in rows[comp.id]]
        )
    rows = pd.concat([train, test], ignore_index=True).drop(columns=[comp.id, *comp.target])
    if comp.split.kind == "group" and comp.kind == "tabular":  # a name that the test has not
        rows = rows.drop(columns=comp.split.column)
    return text_features(rows) if comp.kind == "text" else ordinal_codes(rows)


def ordinal_codes(rows: pd.DataFrame) -> np.ndarray:
    """Return numbers with medians for missing values, categories as codes, and parts of dates."""
    parts = []
    for column in (rows[name] for name in rows):
        if pd.api.types.is_numeric_dtype(column):
            parts.append(column.fillna(column.median()))
        elif column.astype(str).str.fullmatch(r"\d{4}-\d\d-\d\d").all():
            date = pd.to_datetime(column).dt
            parts += [date.year, date.month, date.day, date.day_of_week]
        else:
            parts.append(pd.Series(pd.factorize(column, sort=True)[0]))
    return np.column_stack([part.to_numpy(float) for part in parts])


def text_features(texts: pd.DataFrame) -> Any:
    """Return the tf-idf weights of one column, or the overlaps and lengths of a pair."""
    if texts.shape[1] == 1:
        from sklearn.feature_extraction.text import TfidfVectorizer

        counter = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), min_df=2)
        return counter.fit_transform(texts.iloc[:, 0])

    def overlaps(a: str, b: str) -> list[float]:
        row: list[float] = [len(a), len(b), len(a.split()), len(b.split())]
        for units in (str.split, lambda t: [t[i : i + 3] for i in range(len(t) - 2)]):
            both, either = set(units(a)) & set(units(b)), set(units(a)) | set(units(b))
            row += [len(both), len(both) / max(len(either), 1)]
        return row

    return np.array([overlaps(a, b) for a, b in texts.itertuples(index=False)])


def frozen_features(files: list[Path]) -> np.ndarray:
    """Return the pooled features (n, width) of a pretrained network, from one forward pass."""
    import timm
    import torch
    from PIL import Image

    from fastkaggle_plus.modeling.vision.archs import resolve_arch
    from fastkaggle_plus.modeling.vision.weights import pretrained_arguments

    net = timm.create_model(ARCH, num_classes=0, **pretrained_arguments(resolve_arch(ARCH))).eval()
    facts = timm.data.resolve_data_config(model=net)
    facts |= dict(input_size=(3, SIZE_PX, SIZE_PX), crop_pct=1.0)
    prepare = timm.data.create_transform(**facts)
    batches = [files[i : i + 64] for i in range(0, len(files), 64)]
    with torch.inference_mode():
        inputs = (torch.stack([prepare(Image.open(f).convert("RGB")) for f in b]) for b in batches)
        return torch.cat([net(x) for x in inputs]).numpy()


def fit_predict(comp: Competition, x: Any, targs: np.ndarray, x_test: Any) -> np.ndarray:
    """Fit on x, and return (n_test, n_outputs); probabilities are in the order of the labels."""
    from sklearn import ensemble
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    is_value, log = comp.task == "regression", comp.metric == "rmsle"
    if comp.kind == "images":
        model: Any = make_pipeline(StandardScaler(), LogisticRegression(max_iter=200))
    elif comp.kind == "text":
        trees = ensemble.HistGradientBoostingRegressor(random_state=0)
        model = trees if is_value else LogisticRegression(C=10, max_iter=1000)
    else:
        forest = ensemble.RandomForestRegressor if is_value else ensemble.RandomForestClassifier
        model = forest(300, n_jobs=-1, random_state=0)
    model.fit(x, np.log1p(targs) if log else targs)
    if not is_value:
        return np.asarray(model.predict_proba(x_test))
    answers = np.reshape(model.predict(x_test), (-1, 1))
    return np.expm1(answers) if log else answers
