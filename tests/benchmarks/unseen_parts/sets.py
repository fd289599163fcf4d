"""The data sets of the benchmark: each is written once, as a competition with a hidden test."""

import shutil
from dataclasses import dataclass
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
    kind: str  # tabular | images | text
    task: str  # binary | multiclass | regression
    metric: str
    target: str
    source: str  # a function of sources.py, or package/table in R
    split: str = ""  # the column: `group:NAME`, whole groups are hidden; `time:NAME`, the latest
    drop: str = ""  # columns that give the answer away, or are ids

    @property
    def rule(self) -> tuple[str, str]:
        """How rows are held out, and the column that decides."""
        kind, _, column = self.split.partition(":")
        return kind or ("random" if self.task == "regression" else "stratified"), column


_AIRFARE = "lfare ldist ldistsq lpassen concen y98 y99 y00"
SETS = tuple(
    DataSet(*facts)
    for facts in (
        ("churn", "tabular", "binary", "log_loss", "churn", "modeldata/mlc_churn"),
        ("attrition", "tabular", "binary", "auc", "Attrition", "modeldata/attrition"),
        ("credit", "tabular", "binary", "accuracy", "Status", "modeldata/credit_data"),
        ("caravan", "tabular", "binary", "auc", "Purchase", "ISLR/Caravan"),
        ("lending", "tabular", "binary", "auc", "Class", "modeldata/lending_club"),
        ("crashes", "tabular", "binary", "auc", "dead", "DAAG/nassCDS", "", "injSeverity caseid"),
        ("hpc", "tabular", "multiclass", "accuracy", "class", "modeldata/hpc_data"),
        ("leaves", "tabular", "multiclass", "log_loss", "species", "modeldata/leaf_id_flavia"),
        ("wages", "tabular", "regression", "rmse", "wage", "ISLR/Wage", "", "logwage"),
        ("cars", "tabular", "regression", "mae", "Price", "modeldata/car_prices"),
        ("salaries", "tabular", "regression", "rmsle", "Salary", "modeldata/stackoverflow"),
        ("artworks", "tabular", "regression", "rmse", "year", "modeldata/tate_text", "", "id"),
        (
            "airfares",
            "tabular",
            "regression",
            "rmse",
            "fare",
            "wooldridge/airfare",
            "group:id",
            _AIRFARE,
        ),
        ("trains", "tabular", "regression", "rmse", "ridership", "modeldata/Chicago", "time:date"),
        (
            "hotels",
            "tabular",
            "regression",
            "rmsle",
            "avg_price_per_room",
            "modeldata/hotel_rates",
            "time:arrival_date",
        ),
        ("emoji", "images", "multiclass", "accuracy", "category", "emoji"),
        ("digits", "images", "multiclass", "accuracy", "digit", "digits"),
        ("reviews", "text", "binary", "auc", "score", "reviews"),
        ("activities", "text", "regression", "pearson", "score", "phrase_pairs", "group:anchor"),
    )
)


def hidden_rows(frame: pd.DataFrame, of: DataSet) -> np.ndarray:
    """Return a mask (n,) of the rows to hold out, by the data set's own rule."""
    from sklearn.model_selection import GroupShuffleSplit, train_test_split

    kind, column = of.rule
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
    """Write a data set as a competition's folder, unless it is there; return the folder."""
    folder, packages = root / "sets" / of.name, root / "packages"
    if not (folder / "competition.toml").exists():
        sources.install(packages)
        shutil.rmtree(folder, ignore_errors=True)
        rows = sources.read(of.source, packages, folder / "images")
        write_rows(of, rows.drop(columns=of.drop.split()).dropna(subset=[of.target]), root)
        shutil.rmtree(folder / "images", ignore_errors=True)  # each is now in train or test
    return folder


def sample_of(of: DataSet, train: pd.DataFrame, test: pd.DataFrame) -> pd.DataFrame:
    """Return a sample submission: one column, or one for each of several classes."""
    if of.task == "regression":
        return test[[ID]].assign(**{of.target: train[of.target].mean()})
    shares = train[of.target].value_counts(normalize=True)
    if of.task == "multiclass" and of.metric == "log_loss":
        return test[[ID]].assign(**{str(label): share for label, share in shares.items()})
    return test[[ID]].assign(**{of.target: shares.index[0]})


def write_rows(of: DataSet, rows: pd.DataFrame, root: Path) -> None:
    """Write the files of a competition, and the hidden answers to root/solutions/NAME.csv."""
    folder, solution = root / "sets" / of.name, root / "solutions" / f"{of.name}.csv"
    kind, column = of.rule
    # the order of the files says nothing, except along time
    rows = rows.sort_values(column) if kind == "time" else rows.sample(frac=1, random_state=SEED)
    hidden = hidden_rows(rows, of)
    train, test = rows[~hidden].copy(), rows[hidden].copy()
    folder.mkdir(parents=True, exist_ok=True)
    solution.parent.mkdir(parents=True, exist_ok=True)
    for name, part, start in (("train", train, 0), ("test", test, len(train))):
        part.insert(0, ID, np.arange(start, start + len(part)))
        if of.kind == "images":
            (folder / f"{name}_images").mkdir()
            for id, file in zip(part[ID], part.pop("image"), strict=True):
                (folder / "images" / file).rename(folder / f"{name}_images" / f"{id}.png")
    train.to_csv(folder / "train.csv", index=False)
    test.drop(columns=of.target).to_csv(folder / "test.csv", index=False)
    test[[ID, of.target]].to_csv(solution, index=False)
    sample_of(of, train, test).to_csv(folder / "sample_submission.csv", index=False)
    facts = dict(kind=of.kind, task=of.task, metric=of.metric, id=ID, target=of.target)
    lines = [f'{name} = "{value}"' for name, value in facts.items()]
    lines += ["", "[split]", f'kind = "{kind}"', f'column = "{column}"', ""]
    (folder / "competition.toml").write_text("\n".join(lines), "utf-8")
