"""The cheap baseline of each kind of data: what takes twenty lines and no tuning.

Tables: a forest of 300 trees on ordinal codes. Images: frozen features of a small network under a
logistic regression. Texts: tf-idf under a logistic regression, or trees on the overlaps of a pair.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fastkaggle_plus.competition import Competition

ARCH, SIZE_PX = "tf_efficientnet_lite0", 128
TREES = 300


def predict(comp: Competition, train: pd.DataFrame, test: pd.DataFrame, folder: Path) -> np.ndarray:
    """Return (n_test, n_outputs) predictions of the test rows."""
    x, x_test = features(comp, train, test, folder)
    return fit_predict(comp, x, train[comp.target[0]].to_numpy(), x_test)


def features(
    comp: Competition, train: pd.DataFrame, test: pd.DataFrame, folder: Path
) -> tuple[Any, Any]:
    """Return the features of train and test rows; targets are not used."""
    both = pd.concat([train.drop(columns=comp.target[0]), test], ignore_index=True)
    if comp.kind == "images":
        parts = (("train_images", train), ("test_images", test))
        files = [folder / name / f"{i}.png" for name, part in parts for i in part[comp.id]]
        x: Any = frozen_features(files)
    else:
        grouped = comp.split.column if comp.split.kind == "group" and comp.kind != "text" else ""
        columns = both.drop(columns=[comp.id, *filter(None, [grouped])])
        x = text_features(columns) if comp.kind == "text" else ordinal_codes(columns)
    return x[: len(train)], x[len(train) :]


def ordinal_codes(x: pd.DataFrame) -> np.ndarray:
    """Return numbers with medians for missing values, categories as codes, and parts of dates."""
    parts = []
    for name in x:
        column = x[name]
        if pd.api.types.is_numeric_dtype(column):
            parts.append(column.fillna(column.median()))
        elif column.astype(str).str.fullmatch(r"\d{4}-\d\d-\d\d").all():
            date = pd.to_datetime(column).dt
            parts += [date.year, date.month, date.day, date.dayofweek]
        else:
            parts.append(pd.Series(pd.factorize(column, sort=True)[0]))
    return np.column_stack([part.to_numpy(float) for part in parts])


def text_features(texts: pd.DataFrame) -> Any:
    """Return the tf-idf weights of one column, or the overlaps and lengths of a pair."""
    if texts.shape[1] == 1:
        from sklearn.feature_extraction.text import TfidfVectorizer

        counter = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), min_df=2)
        return counter.fit_transform(texts.iloc[:, 0])
    rows = []
    for a, b in texts.itertuples(index=False):
        row = [len(a), len(b), len(a.split()), len(b.split()), a.split()[0] == b.split()[0]]
        for units in (str.split, lambda t: [t[i : i + 3] for i in range(len(t) - 2)]):
            first, second = set(units(a)), set(units(b))
            row += [len(first & second), len(first & second) / max(len(first | second), 1)]
        rows.append(row)
    return np.array(rows, dtype=float)


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
    with torch.inference_mode():
        batches = [
            net(torch.stack([prepare(Image.open(f).convert("RGB")) for f in files[i : i + 64]]))
            for i in range(0, len(files), 64)
        ]
    return torch.cat(batches).numpy()


def fit_predict(comp: Competition, x: Any, targs: np.ndarray, x_test: Any) -> np.ndarray:
    """Fit on x, and return (n_test, n_outputs); probabilities are in the order of the labels."""
    from sklearn import ensemble
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if comp.kind == "images":
        model: Any = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    elif comp.kind == "text" and comp.task != "regression":
        model = LogisticRegression(C=10, max_iter=1000)
    elif comp.kind == "text":
        model = ensemble.HistGradientBoostingRegressor(random_state=0)
    elif comp.task == "regression":
        model = ensemble.RandomForestRegressor(TREES, n_jobs=-1, random_state=0)
    else:
        model = ensemble.RandomForestClassifier(TREES, n_jobs=-1, random_state=0)
    if comp.task != "regression":
        return np.asarray(model.fit(x, targs).predict_proba(x_test))
    log = comp.metric == "rmsle"
    answers = model.fit(x, np.log1p(targs) if log else targs).predict(x_test)
    return np.reshape(np.expm1(answers) if log else answers, (-1, 1))
