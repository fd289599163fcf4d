"""Titanic: compare the ensemble with a plain forest, and tabular_model's speed with fastai's."""

import statistics
import time

import numpy as np
import torch
from fastai.tabular.all import (
    Categorify,
    CategoryBlock,
    FillMissing,
    Normalize,
    RandomSplitter,
    TabularDataLoaders,
    accuracy,
    tabular_learner,
)
from sklearn.ensemble import RandomForestClassifier

from fastkaggle_plus import ensemble, load_comp, make_folds
from fastkaggle_plus.modeling import (
    FittedFunction,
    Model,
    cross_validate,
    find_model,
    tabular_model,
)

SEEDS = (42, 43, 44)
ROUNDS = 3
COURSE = (
    "Sex",
    "Embarked",
    "Age",
    "SibSp",
    "Parch",
    "LogFare",
    "Pclass",
)  # what lesson 6's forest sees


def plain_forest() -> Model:
    """Lesson 6's forest as it is written there: category codes, medians, no features."""

    def fit(table):
        def coded(rows):
            return np.column_stack(
                [
                    rows.x[c].cat.codes
                    if c in table.cat_names
                    else rows.x[c].fillna(table.x[c].median())
                    for c in COURSE
                ]
            )

        forest = RandomForestClassifier(100, min_samples_leaf=5, random_state=42).fit(
            coded(table), table.targs
        )
        return FittedFunction(lambda rows: forest.predict_proba(coded(rows)))

    return Model("plain forest", fit)


def accuracies(comp, data) -> None:
    """Print the accuracy of five folds for each seed of the folds.

    The ensemble's score is nested: no row is scored by a model that saw it.
    """
    ours, plain = [], []
    for seed in SEEDS:
        folds = make_folds(data.targs, n_folds=5, seed=seed)
        trials = [t for t in comp.module("trials").TRIALS if t.in_ensemble]
        ours.append(
            ensemble(
                [
                    cross_validate(find_model(t.model, comp)(**t.params), data, folds, name=t.name)
                    for t in trials
                ]
            )
        )
        plain.append(cross_validate(plain_forest(), data, folds))
    for name, preds in (("ensemble", ours), ("plain forest", plain)):
        scores = [p.oof_score for p in preds]
        seeds, each = ", ".join(map(str, SEEDS)), ", ".join(f"{s:.4f}" for s in scores)
        print(
            f"{name:14} accuracy {statistics.mean(scores):.4f} "
            f"(folds of seeds {seeds}: {each}), "
            f"SE {preds[0].oof_score_se:.4f}, {len(preds[0].ids)} rows"
        )


def net_seconds(data) -> None:
    """Print the seconds of one fit and prediction of the course's net: plain fastai, and ours.

    The two take turns.
    """
    table = data.train
    frame = table.x.assign(Survived=table.targs)
    valid = RandomSplitter(seed=42)(range(len(table)))[1]

    def plain() -> float:
        dls = TabularDataLoaders.from_df(
            frame,
            procs=[Categorify, FillMissing, Normalize],
            cat_names=list(table.cat_names),
            cont_names=list(table.cont_names),
            y_names="Survived",
            y_block=CategoryBlock(),
            valid_idx=list(valid),
            bs=64,
        )
        learn = tabular_learner(dls, metrics=accuracy, layers=[10, 10])
        with learn.no_bar(), learn.no_logging():
            learn.fit(16, lr=0.03)
            preds, targs = learn.get_preds(dl=dls.valid)
        return float((preds.argmax(1) == targs.squeeze()).float().mean())

    def ours() -> float:
        rest = np.setdiff1d(np.arange(len(table)), valid)
        fitted = tabular_model(layers=[10, 10], epochs=16, lr=0.03).fit(table.take(rest))
        return float(
            (fitted.predict(table.take(np.asarray(valid))).argmax(1) == table.targs[valid]).mean()
        )

    seconds, accuracy_of = {"plain fastai": [], "tabular_model": []}, {}
    for _ in range(ROUNDS):
        for name, job in (("plain fastai", plain), ("tabular_model", ours)):
            start = time.perf_counter()
            accuracy_of[name] = job()
            seconds[name].append(time.perf_counter() - start)
    median = {name: statistics.median(s) for name, s in seconds.items()}
    for name, s in median.items():
        faster = median["plain fastai"] / s
        print(
            f"{name:14} {s:.2f} s per fit of 16 epochs, {faster:.1f} x as fast as plain fastai; "
            f"accuracy {accuracy_of[name]:.4f} on {len(valid)} rows"
        )


if __name__ == "__main__":
    torch.set_num_threads(1)  # as in a sweep: on a net this small two threads are not faster
    comp = load_comp("titanic")
    data = comp.read(comp.folder)
    accuracies(comp, data)
    net_seconds(data)
