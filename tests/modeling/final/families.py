"""Small final models of every family, and the rows that each of them predicts."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fastkaggle_plus import modeling as m
from fastkaggle_plus.data import Data
from fastkaggle_plus.ensembling import ensemble
from fastkaggle_plus.folds import make_folds

from ..pictures import make_pictures
from ..tables import make_data
from ..text.small import pairs, small_model

FEW = dict(n_estimators=20, learning_rate=0.2)
TABLES = {
    "forest": (m.forest_model, dict(n_estimators=20)),
    "tree": (m.tree_model, {}),
    "one rule": (m.one_r_model, {}),
    "hist": (m.hist_gradient_boosting_model, FEW),
    "lightgbm": (m.lightgbm_model, FEW),
    "xgboost": (m.xgboost_model, FEW),
    "catboost": (m.catboost_model, FEW),
    "ridge": (m.ridge_model, {}),
    "net": (m.tabular_model, dict(epochs=2)),
    "course net": (m.tabular_model, dict(epochs=2, lr=0.03, layers=[10, 10])),
    "tabm": (m.tabm_model, dict(k=4, d_block=16, epochs=2, bs=64)),
    "bag": (m.bag_model, dict(model="forest.tree_model", n=3)),
    "without": (m.without_model, dict(model="forest.tree_model", columns=["shape"])),
}
VALUES = ("forest", "hist", "lightgbm", "xgboost", "catboost", "ridge", "net")  # also values
SCRATCH = {
    "scratch linear": (m.linear_model, dict(epochs=5)),
    "scratch deep net": (m.deep_net_model, dict(epochs=5)),
}
IMAGES = {
    "colours": (m.forest_model, dict(n_estimators=10)),
    "image probe": (m.probe_model, dict(arch="tf_efficientnet_lite0", size=64)),
    "fine-tuned images": (
        m.vision_model,
        dict(arch="test_resnet", item=32, batch=32, epochs=1, bs=16, pretrained=False, tta="beta"),
    ),
}
TEXTS = {
    "overlap": (m.overlap_model, {}),
    "cosine": (m.cosine_model, dict(arch="BERT")),
    "static": (m.static_text_model, dict(vectors="BERT")),
    "text probe": (m.text_probe_model, dict(arch="BERT")),
    "fine-tuned texts": (m.text_model, dict(arch="BERT", epochs=1, precision="fp32")),
}


def text_data(task: str, n: int = 72, n_test: int = 12) -> Data:
    """Return pairs of phrases as Data, without other features."""
    table = pairs(n + n_test, task)
    train, test = table.take(np.arange(n)), table.take(np.arange(n, n + n_test))
    sample, raw = pd.DataFrame({"id": np.arange(n_test), "score": 0}), table.texts
    blind = dataclasses.replace(test, targs=None)
    return Data(train, blind, np.arange(n), np.arange(n_test), sample, raw[:n], raw[n:])


def folder_name(name: str, task: str) -> str:
    """Return the folder of a model."""
    return f"{name} {task}".replace(" ", "-")


def save_all(folder: Path) -> dict[str, tuple[np.ndarray, Any]]:
    """Save a model of every family; return what each predicted in training, and for which rows."""
    bert, pictures = (
        small_model(folder / "bert"),
        make_pictures(folder / "pictures", n=24, n_test=6),
    )
    some = {name: TABLES[name] for name in VALUES}
    plan = [
        (TABLES, make_data("multiclass"), "multiclass"),
        (some, make_data("regression"), "regression"),
    ]
    plan += [(SCRATCH, make_data("binary"), "binary"), (IMAGES, pictures, "multiclass")]
    plan += [(TEXTS, text_data(task), task) for task in ("regression", "multiclass")]
    found = {}
    for families, data, task in plan:
        folds = make_folds(data.targs, n_folds=2, seed=0)
        for name, (make, params) in families.items():
            params = {k: str(bert) if v == "BERT" else v for k, v in params.items()}
            model, place = make(**params), folder / "saved" / folder_name(name, task)
            is_refit = name in ("hist", "lightgbm", "tabm", "forest")
            preds = m.cross_validate(
                model, data, folds, look_for_groups=False, test="refit" if is_refit else "folds"
            )
            if is_refit:
                final = m.fit_final(model, data, predictions=preds)
            else:
                final = m.fit_final(model, data, folds=folds)
            final.save(place)
            found[place.name] = preds.test, rows_of(data)
    data, place = make_data("binary"), folder / "saved" / "ensemble-binary"
    members = [m.forest_model(10), m.ridge_model()]
    folds = make_folds(data.targs, n_folds=2, seed=0)
    preds = [m.cross_validate(model, data, folds, look_for_groups=False) for model in members]
    whole = ensemble(preds, method="optimum")
    m.fit_final(members, data, folds=folds, predictions=preds, combined=whole).save(place)
    found[place.name] = whole.test, rows_of(data)
    shutil.rmtree(bert)
    shutil.rmtree(folder / "pictures" / "train_images")
    return found


def rows_of(data: Data) -> Any:
    """Return the test rows as a user has them: paths, pairs of strings, or a frame."""
    if data.test.images is not None:
        return list(data.test.images)
    if data.test.texts is not None:
        return [tuple(row) for row in data.test.texts.itertuples(index=False)]
    return data.test.x.astype({c: object for c in data.test.cat_names})
