"""A plain script of a fast.ai student for each kind of data, with the course's defaults.

Tables: `tabular_learner` and five epochs at the rate of `lr_find`. Images: `vision_learner` and
`fine_tune(3)`. Texts: a pretrained language model in a plain loop of transformers, two epochs.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fastkaggle_plus.competition import Competition

from .baselines import ARCH, SIZE_PX

TEXT_ARCH = "sentence-transformers/all-MiniLM-L6-v2"
SEED = 42


def predict(comp: Competition, train: pd.DataFrame, test: pd.DataFrame, folder: Path) -> np.ndarray:
    """Return (n_test, n_outputs) predictions of the test rows."""
    from fastai.torch_core import set_seed

    set_seed(SEED)
    target, is_log = comp.target[0], comp.metric == "rmsle"
    if is_log:
        train = train.assign(**{target: np.log1p(train[target])})
    script = {"tabular": table, "images": images, "text": texts}[comp.kind]
    answers = script(comp, train, test, folder)
    return np.expm1(answers) if is_log else answers


def table(comp: Competition, train: pd.DataFrame, test: pd.DataFrame, folder: Path) -> np.ndarray:
    """Train as chapter 9 of fastbook does, with a fifth of the rows to validate."""
    from fastai.tabular import all as fa

    target, is_value, column = comp.target[0], comp.task == "regression", comp.split.column
    train, test = (frame.drop(columns=comp.id) for frame in (train, test))
    if comp.split.kind == "time":
        train, test = (fa.add_datepart(frame, column) for frame in (train, test))
    elif comp.split.kind == "group":  # a name that the test has not
        train, test = (frame.drop(columns=column) for frame in (train, test))
    numbers, categories = fa.cont_cat_split(train, dep_var=target)
    loaders = fa.TabularDataLoaders.from_df(
        train.astype({target: "float32"} if is_value else {}),
        procs=[fa.Categorify, fa.FillMissing, fa.Normalize],
        cat_names=categories,
        cont_names=numbers,
        y_names=target,
        y_block=fa.RegressionBlock() if is_value else fa.CategoryBlock(),
        valid_idx=fa.RandomSplitter(seed=SEED)(train)[1],
    )
    limits = (float(train[target].min()), float(train[target].max())) if is_value else None
    learn = fa.tabular_learner(loaders, y_range=limits)
    with learn.no_bar(), learn.no_logging():
        learn.fit_one_cycle(5, learn.lr_find(show_plot=False).valley)
        test = test.fillna(train[numbers].median())  # fastai fills what is missing in train too
        return np.asarray(learn.get_preds(dl=loaders.test_dl(test))[0])


def images(comp: Competition, train: pd.DataFrame, test: pd.DataFrame, folder: Path) -> np.ndarray:
    """Fine-tune a pretrained network for three epochs, as lesson 1 does."""
    from fastai.vision import all as fa

    from fastkaggle_plus.modeling.vision.archs import resolve_arch
    from fastkaggle_plus.modeling.vision.weights import pretrained_arguments

    files = train[comp.id].map("train_images/{}.png".format)
    loaders = fa.ImageDataLoaders.from_df(
        pd.DataFrame({"file": files, "label": train[comp.target[0]].astype(str)}),
        folder,
        seed=SEED,
        item_tfms=fa.Resize(SIZE_PX),
        batch_tfms=fa.aug_transforms(),
        num_workers=0,
    )
    learn = fa.vision_learner(loaders, ARCH, **pretrained_arguments(resolve_arch(ARCH)))
    with learn.no_bar(), learn.no_logging():
        learn.fine_tune(3)
        rows = [folder / f"test_images/{i}.png" for i in test[comp.id]]
        return np.asarray(learn.get_preds(dl=loaders.test_dl(rows, num_workers=0))[0])


def texts(comp: Competition, train: pd.DataFrame, test: pd.DataFrame, folder: Path) -> np.ndarray:
    """Fine-tune a language model for two epochs of batches of 32, at most 128 tokens a row."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    from fastkaggle_plus.modeling.text.weights import fetch_weights

    columns = [c for c in test if c != comp.id]
    targs, n_outputs = torch.tensor(train[comp.target[0]].factorize(sort=True)[0]), 2
    if comp.task == "regression":
        targs, n_outputs = torch.tensor(train[comp.target[0]].to_numpy("float32")), 1
    source = str(fetch_weights(TEXT_ARCH).folder)
    tokenizer = AutoTokenizer.from_pretrained(source)
    net = AutoModelForSequenceClassification.from_pretrained(source, num_labels=n_outputs)

    def inputs(rows: pd.DataFrame) -> Any:
        texts = [rows[c].tolist() for c in columns]
        return tokenizer(*texts, padding=True, truncation=True, max_length=128, return_tensors="pt")

    optimizer = torch.optim.AdamW(net.parameters(), lr=5e-5)
    net.train()
    for epoch in range(2):
        order = np.random.default_rng(epoch).permutation(len(train))
        for rows in np.array_split(order, len(order) // 32):
            net(**inputs(train.iloc[rows]), labels=targs[rows]).loss.backward()
            optimizer.step()
            optimizer.zero_grad()
    net.eval()
    with torch.inference_mode():
        parts = np.array_split(np.arange(len(test)), len(test) // 32)
        outputs = torch.cat([net(**inputs(test.iloc[rows])).logits for rows in parts])
    return np.asarray(outputs.softmax(1) if n_outputs > 1 else outputs)
