"""Read Titanic's rows and make features: who travelled, with whom, where and for how much.

Only `companions` needs targets: how many women and children of the same party survived. It is
computed inside each fold, from the training rows, and never from a row's own target.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd

from fastkaggle_plus.competition import read_competition
from fastkaggle_plus.data import Data, Table
from fastkaggle_plus.exceptions import DataError
from fastkaggle_plus.reading import NewRows

COMP = read_competition(Path(__file__).with_name("competition.toml"))
NEEDED = ("Pclass", "Name", "Sex", "Age", "SibSp", "Parch", "Ticket", "Fare", "Cabin", "Embarked")
NUMBERS = ("Pclass", "Age", "SibSp", "Parch", "Fare")
TITLES = {"Mlle": "Miss", "Ms": "Miss", "Mme": "Mrs"}
KNOWN = ("Mr", "Mrs", "Miss", "Master")
CAT = ("Sex", "Pclass", "Embarked", "Deck", "Title")
CONT = (
    "Age",
    "SibSp",
    "Parch",
    "LogFare",
    "FarePerHead",
    "Family",
    "Alone",
    "TicketFreq",
    "WomanOrChild",
)
PARTY = "party"  # the number of the party; not a feature
# Share of survivors if no companion is known. A mean of targets would leak a row's own target.
EVEN = 0.5


def read(path: Path) -> Data:
    """Read train.csv and test.csv, and add the features."""
    data = COMP.read_files(path)
    train, test = data.raw_train, data.raw_test
    if missing := [c for c in NEEDED if c not in train or c not in test]:
        raise DataError(
            f"{path} lacks the columns {', '.join(missing)}. "
            f"Titanic's train.csv and test.csv have {', '.join(NEEDED)}."
        )
    everyone = pd.concat([train, test], ignore_index=True)
    features = add_features(everyone, train)
    n = len(train)
    data = data.with_features(
        features[:n],
        features[n:].reset_index(drop=True),
        cat_names=CAT,
        cont_names=(*CONT, PARTY),
        in_fold=add_companions,
    )
    passengers = Passengers(train[list(NEEDED)])
    columns = {c: "float64" if c in NUMBERS else "str" for c in NEEDED}
    new_rows = NewRows.of(data.train, make=passengers, columns=columns)
    return dataclasses.replace(data, new_rows=new_rows)


@dataclasses.dataclass
class Passengers:
    """Makes the features of new passengers, for a model that is kept."""

    known: pd.DataFrame  # the training rows: parties and counts of tickets need them

    def __call__(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return the features; passengers that are given together may be one party."""
        everyone = pd.concat([self.known, rows[list(NEEDED)]], ignore_index=True)
        return add_features(everyone, self.known)[len(self.known) :].reset_index(drop=True)


def add_features(everyone: pd.DataFrame, train: pd.DataFrame) -> pd.DataFrame:
    """Return the features. Medians are learned from `train`; counts use all passengers."""
    title = titles(everyone["Name"])
    fare = everyone["Fare"].fillna(everyone["Pclass"].map(train.groupby("Pclass")["Fare"].median()))
    median_ages = train["Age"].groupby(titles(train["Name"])).median()
    age = everyone["Age"].fillna(title.map(median_ages)).fillna(train["Age"].median())
    ticket_freq = everyone["Ticket"].map(everyone["Ticket"].value_counts())
    family = everyone["SibSp"] + everyone["Parch"]
    protected = (everyone["Sex"] == "female") | (title == "Master")
    return pd.DataFrame(
        {
            "Sex": everyone["Sex"],
            "Embarked": everyone["Embarked"],
            "Deck": decks(everyone["Cabin"]),
            "Title": title,
            "Pclass": everyone["Pclass"],
            "Age": age,
            "SibSp": everyone["SibSp"],
            "Parch": everyone["Parch"],
            "LogFare": np.log1p(fare),
            "FarePerHead": np.log1p(fare / ticket_freq),
            "Family": family,
            "Alone": (family == 0).astype(int),
            "TicketFreq": ticket_freq,
            "WomanOrChild": protected.astype(int),
            PARTY: parties(everyone),
        }
    )


def titles(names: pd.Series) -> pd.Series:
    """Return Mr, Mrs, Miss, Master or Rare, from names like `Braund, Mr. Owen Harris`."""
    found = names.astype("string").str.extract(r",\s*(?:the\s+)?([^.,]+)\.", expand=False)
    found = found.str.strip().replace(TITLES)
    return found.where(found.isin(KNOWN).fillna(False), "Rare")


def decks(cabins: pd.Series) -> pd.Series:
    """Return the decks in groups, as in the course: ABC, DE, FG, or missing."""
    together = dict(zip("ABCDEFG", ["ABC"] * 3 + ["DE"] * 2 + ["FG"] * 2, strict=True))
    return cabins.astype("string").str[0].map(together)


def parties(everyone: pd.DataFrame) -> pd.Series:
    """Return the number of each passenger's party.

    A party shares a ticket, or a surname, class, port, and the ticket without its last digit.
    """
    name, ticket, port = (everyone[c].astype("string") for c in ("Name", "Ticket", "Embarked"))
    family = (
        name.str.split(",").str[0]
        + "|"
        + everyone["Pclass"].astype(str)
        + "|"
        + port.fillna("")
        + "|"
        + ticket.str[:-1]
    )
    # a passenger without a ticket has a party of one
    single = pd.Series(
        [f"?{i}" for i in range(len(everyone))], index=everyone.index, dtype="string"
    )
    ticket, family = ticket.fillna(single), family.fillna(single)
    party = pd.Series(np.arange(len(everyone)), index=everyone.index)
    while True:  # spread the smallest number along tickets and families until nothing changes
        spread = party.groupby(ticket).transform("min")
        spread = spread.groupby(family).transform("min")
        if spread.equals(party):
            return party.astype(float)
        party = spread


def add_companions(fit: Table, rows: Table) -> tuple[Table, Table]:
    """Add the share of companions that survived, and how many are known from the rows `fit`."""
    party, known = fit.x[PARTY].to_numpy(), fit.x["WomanOrChild"].to_numpy() == 1
    survived = np.asarray(fit.targs, dtype=float)
    alive = pd.Series(survived[known]).groupby(party[known]).agg(["sum", "count"])

    def with_companions(table: Table, own: np.ndarray | None) -> Table:
        found = alive.reindex(table.x[PARTY].to_numpy()).fillna(0.0)
        total, count = found["sum"].to_numpy(), found["count"].to_numpy()
        if own is not None:  # leave out the row itself
            total, count = total - np.where(known, own, 0.0), count - known
        columns = pd.DataFrame(
            {"companions": (total + EVEN) / (count + 1), "companions_known": count}
        )
        kept = dataclasses.replace(
            table, cont_names=tuple(c for c in table.cont_names if c != PARTY)
        )
        return kept.with_columns(columns)

    return with_companions(fit, survived), with_companions(rows, None)
