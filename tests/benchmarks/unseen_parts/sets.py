"""The data sets of the benchmark: each is written once, as a competition with a hidden test."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from . import sources
from .sources import SEED

ID = "row_id"
HIDDEN = 0.25  # share of the rows that are held out as the hidden test


@dataclass(frozen=True)
class DataSet:
    """A public data set as a competition."""

    name: str
    task: str  # binary | multiclass | regression
    metric: str
    target: str
    read: Callable[..., pd.DataFrame]  # images: with the folders of packages and of images
    drop: str = ""  # columns that give the answer away, or are ids
    kind: str = "tabular"  # tabular | images | text
    group: str = ""  # column; whole groups are hidden
    time: str = ""  # column; the latest rows are hidden

    @property
    def split(self) -> tuple[str, str]:
        """How rows are held out, and the column that decides."""
        if self.group:
            return "group", self.group
        if self.time:
            return "time", self.time
        return ("random" if self.task == "regression" else "stratified"), ""


def table(name: str, task: str, metric: str, target: str, of: str, **facts: str) -> DataSet:
    return DataSet(name, task, metric, target, partial(sources.r_table, of), **facts)


SETS = (
    table("churn", "binary", "log_loss", "churn", "modeldata/mlc_churn"),
    table("attrition", "binary", "auc", "Attrition", "modeldata/attrition"),
    table("credit", "binary", "accuracy", "Status", "modeldata/credit_data"),
    table("caravan", "binary", "auc", "Purchase", "ISLR/Caravan"),
    table("lending", "binary", "auc", "Class", "modeldata/lending_club"),
    table("hpc", "multiclass", "accuracy", "class", "modeldata/hpc_data"),
    table("leaves", "multiclass", "log_loss", "species", "modeldata/leaf_id_flavia"),
    table("wages", "regression", "rmse", "wage", "ISLR/Wage", drop="logwage"),
    table("cars", "regression", "mae", "Price", "modeldata/car_prices"),
    table("salaries", "regression", "rmsle", "Salary", "modeldata/stackoverflow"),
    table(
        "airfares",
        "regression",
        "rmse",
        "fare",
        "wooldridge/airfare",
        drop="lfare ldist ldistsq lpassen concen y98 y99 y00",
        group="id",  # the route
    ),
    table("trains", "regression", "rmse", "ridership", "modeldata/Chicago", time="date"),
    table(
        "hotels",
        "regression",
        "rmsle",
        "avg_price_per_room",
        "modeldata/hotel_rates",
        time="arrival_date",
    ),
    table("artworks", "regression", "rmse", "year", "modeldata/tate_text", drop="id"),
    table("crashes", "binary", "auc", "dead", "DAAG/nassCDS", drop="injSeverity caseid"),
    DataSet("emoji", "multiclass", "accuracy", "category", sources.emoji, kind="images"),
    DataSet("digits", "multiclass", "accuracy", "digit", sources.digits, kind="images"),
    DataSet("reviews", "binary", "auc", "score", sources.reviews, kind="text"),
    DataSet(
        "activities",
        "regression",
        "pearson",
        "score",
        sources.phrase_pairs,
        kind="text",
        group="anchor",
    ),
)


def hidden_rows(frame: pd.DataFrame, of: DataSet) -> np.ndarray:
    """Return a mask (n,) of the rows to hold out, by the data set's own rule."""
    from sklearn.model_selection import GroupShuffleSplit, train_test_split

    kind, column = of.split
    if kind == "time":
        return np.asarray(
            frame[column] > frame[column].sort_values().iloc[-int(len(frame) * HIDDEN)]
        )
    rows = np.arange(len(frame))
    if kind == "group":
        splitter = GroupShuffleSplit(1, test_size=HIDDEN, random_state=SEED)
        _, hidden = next(splitter.split(rows, groups=frame[column]))
    else:
        strata = frame[of.target] if kind == "stratified" else None
        _, hidden = train_test_split(rows, test_size=HIDDEN, stratify=strata, random_state=SEED)
    return np.isin(rows, hidden)


def write(of: DataSet, root: Path) -> Path:
    """Write a data set as a competition's folder, and its solution apart; return the folder.

    Nothing is written if it is there. The hidden answers are in root/solutions/NAME.csv.
    """
    folder, solution = root / "sets" / of.name, root / "solutions" / f"{of.name}.csv"
    if (folder / "competition.toml").exists():
        return folder
    packages, images = root / "packages", folder / "images"
    sources.install(packages)
    shutil.rmtree(folder, ignore_errors=True)
    frame = of.read(packages, images) if of.kind == "images" else of.read()
    frame = frame.drop(columns=of.drop.split()).dropna(subset=[of.target])
    kind, column = of.split
    # the order of the files says nothing, except along time
    frame = frame.sort_values(column) if of.time else frame.sample(frac=1, random_state=SEED)
    hidden = hidden_rows(frame, of)
    train, test = frame[~hidden], frame[hidden]
    folder.mkdir(parents=True, exist_ok=True)
    solution.parent.mkdir(parents=True, exist_ok=True)
    for part, start in ((train, 0), (test, len(train))):
        part.insert(0, ID, np.arange(start, start + len(part)))
    if of.kind == "images":
        for name, part in (("train_images", train), ("test_images", test)):
            (folder / name).mkdir()
            for id, file in zip(part[ID], part.pop("image"), strict=True):
                (images / file).rename(folder / name / f"{id}.png")
        images.rmdir()
    train.to_csv(folder / "train.csv", index=False)
    test.drop(columns=of.target).to_csv(folder / "test.csv", index=False)
    test[[ID, of.target]].to_csv(solution, index=False)
    guess = train[of.target].mode()[0] if of.task != "regression" else train[of.target].mean()
    test[[ID]].assign(**{of.target: guess}).to_csv(folder / "sample_submission.csv", index=False)
    facts = dict(kind=of.kind, task=of.task, metric=of.metric, id=ID, target=of.target)
    lines = [f'{name} = "{value}"' for name, value in facts.items()]
    lines += ["", "[split]", f'kind = "{kind}"', f'column = "{column}"']
    (folder / "competition.toml").write_text("\n".join(lines) + "\n", "utf-8")
    return folder
