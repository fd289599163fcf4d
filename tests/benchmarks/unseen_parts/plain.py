"""A plain script of a fast.ai student for each kind of data: the course's functions and defaults.

Tables: `tabular_learner` and five epochs at the rate of `lr_find`. Images: `vision_learner` and
`fine_tune(3)`. Texts: a pretrained language model under transformers, two epochs.
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
    answers = {"tabular": table, "images": images, "text": texts}[comp.kind](
        comp, train, test, folder
    )
    return np.expm1(answers) if is_log else answers


def table(comp: Competition, train: pd.DataFrame, test: pd.DataFrame, folder: Path) -> np.ndarray:
    """Train as chapter 9 of fastbook does, with a fifth of the rows to validate."""
    from fastai.tabular.all import (
        Categorify,
        CategoryBlock,
        FillMissing,
        Normalize,
        RandomSplitter,
        RegressionBlock,
        TabularDataLoaders,
        add_datepart,
        cont_cat_split,
        range_of,
        tabular_learner,
    )

    target = comp.target[0]
    train, test = (frame.drop(columns=comp.id) for frame in (train, test))
    if comp.split.kind == "time":
        for frame in (train, test):
            add_datepart(frame, comp.split.column)
    numbers, categories = cont_cat_split(train, dep_var=target)
    is_value = comp.task == "regression"
    loaders = TabularDataLoaders.from_df(
        train.astype({target: "float32"} if is_value else {}),
        procs=[Categorify, FillMissing, Normalize],
        cat_names=categories,
        cont_names=numbers,
        y_names=target,
        y_block=RegressionBlock() if is_value else CategoryBlock(),
        valid_idx=RandomSplitter(seed=SEED)(range_of(train))[1],
        bs=64,
    )
    limits = (float(train[target].min()), float(train[target].max())) if is_value else None
    learn = tabular_learner(loaders, y_range=limits)
    with learn.no_bar(), learn.no_logging():
        learn.fit_one_cycle(5, learn.lr_find(show_plot=False).valley)
        # a value that the training rows never miss needs the median too
        for name in numbers:
            test[name] = test[name].fillna(train[name].median())
        preds, _ = learn.get_preds(dl=loaders.test_dl(test))
    return np.asarray(preds)


def images(comp: Competition, train: pd.DataFrame, test: pd.DataFrame, folder: Path) -> np.ndarray:
    """Fine-tune a pretrained network for three epochs, as lesson 1 does."""
    from fastai.vision.all import (
        ImageDataLoaders,
        Resize,
        aug_transforms,
        error_rate,
        vision_learner,
    )

    from fastkaggle_plus.modeling.vision.archs import resolve_arch
    from fastkaggle_plus.modeling.vision.weights import pretrained_arguments

    files = train[comp.id].map("train_images/{}.png".format)
    loaders = ImageDataLoaders.from_df(
        pd.DataFrame({"file": files, "label": train[comp.target[0]].astype(str)}),
        folder,
        seed=SEED,
        item_tfms=Resize(SIZE_PX),
        batch_tfms=aug_transforms(),
        num_workers=0,
    )
    weights = pretrained_arguments(resolve_arch(ARCH))
    weights.pop("pretrained", None)
    learn = vision_learner(loaders, ARCH, metrics=error_rate, **weights)
    with learn.no_bar(), learn.no_logging():
        learn.fine_tune(3)
        rows = [folder / f"test_images/{i}.png" for i in test[comp.id]]
        preds, _ = learn.get_preds(dl=loaders.test_dl(rows, num_workers=0))
    return np.asarray(preds)


def texts(comp: Competition, train: pd.DataFrame, test: pd.DataFrame, folder: Path) -> np.ndarray:
    """Fine-tune a language model for two epochs in a plain loop, as a tutorial does."""
    import torch
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        get_linear_schedule_with_warmup,
    )

    from fastkaggle_plus.modeling.text.weights import fetch_weights

    columns = [c for c in test if c != comp.id]
    labels, codes = np.unique(train[comp.target[0]], return_inverse=True)
    is_value = comp.task == "regression"
    source = str(fetch_weights(TEXT_ARCH).folder)
    tokenizer = AutoTokenizer.from_pretrained(source)
    net = AutoModelForSequenceClassification.from_pretrained(
        source, num_labels=1 if is_value else len(labels)
    )

    def inputs(rows: pd.DataFrame) -> Any:
        parts = [rows[c].tolist() for c in columns]
        return tokenizer(*parts, padding=True, truncation=True, max_length=128, return_tensors="pt")

    epochs, bs = 2, 32
    n_steps = epochs * -(-len(train) // bs)
    optimizer = torch.optim.AdamW(net.parameters(), lr=5e-5)
    schedule = get_linear_schedule_with_warmup(optimizer, n_steps // 10, n_steps)
    answers = train[comp.target[0]].to_numpy(np.float32)[:, None] if is_value else codes
    rng = np.random.default_rng(SEED)
    net.train()
    for _ in range(epochs):
        order = rng.permutation(len(train))
        for rows in (order[i : i + bs] for i in range(0, len(order), bs)):
            loss = net(**inputs(train.iloc[rows]), labels=torch.as_tensor(answers[rows])).loss
            loss.backward()
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
    net.eval()
    with torch.inference_mode():
        parts = [test.iloc[i : i + bs] for i in range(0, len(test), bs)]
        outputs = torch.cat([net(**inputs(part)).logits for part in parts])
    return np.asarray(outputs if is_value else outputs.softmax(1))
