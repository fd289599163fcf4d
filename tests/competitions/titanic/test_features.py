"""Titanic's features are correct, and `companions` leaks no answer."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from fastkaggle_plus.exceptions import DataError


def with_targets(data, targs):
    return dataclasses.replace(data, train=dataclasses.replace(data.train, targs=targs))


def flipped(data, rows):
    targs = data.targs.copy()
    targs[rows] = 1 - targs[rows]
    return with_targets(data, targs)


def test_targets_of_validation_rows_change_no_feature(data, half):
    """Not their own, not that of a row that is fitted on, not that of a test row."""
    fit_rows, rows = half
    other = flipped(data, rows)
    for want in (rows, None):
        for before, after in zip(
            data.fold(fit_rows, want), other.fold(fit_rows, want), strict=True
        ):
            pd.testing.assert_frame_equal(before.x, after.x)


def test_the_target_of_a_training_row_changes_all_features_but_its_own(data, half):
    fit_rows, rows = half
    before, valid = data.fold(fit_rows, rows)
    reached_fit = reached_valid = 0
    for i in range(0, len(fit_rows), 15):
        after, valid_after = flipped(data, fit_rows[i]).fold(fit_rows, rows)
        pd.testing.assert_frame_equal(after.x.iloc[[i]], before.x.iloc[[i]])
        reached_fit += int((after.x["companions"] != before.x["companions"]).sum())
        reached_valid += int((valid_after.x["companions"] != valid.x["companions"]).sum())
    assert reached_fit > 5 and reached_valid > 3


def test_companions_are_the_women_and_boys_of_the_party(data):
    """The Goodwins, third class, all lost: each of the women and boys counts the others."""
    fit, _ = data.fold(np.arange(len(data.train)), None)
    goodwins = data.raw_train["Name"].str.startswith("Goodwin") & (
        data.raw_train["Ticket"] == "CA 2144"
    )
    own = fit.x[goodwins.to_numpy()]
    assert len(own) == 6 and (own["companions_known"] >= 4).all()
    assert (own["companions"] < 0.2).all() and (data.targs[goodwins] == 0).all()


def test_the_party_number_is_not_a_feature(data, half, features):
    for table in data.fold(*half):
        assert features.PARTY not in (*table.cat_names, *table.cont_names)
        assert {"companions", "companions_known"} <= set(table.cont_names)


def test_parties_join_tickets_and_families(features):
    people = pd.DataFrame(
        {
            "Name": [
                "Fox, Mr. A",
                "Fox, Mrs. B",
                "Hen, Miss. C",
                "Owl, Mr. D",
                "Fox, Mr. E",
                "Hen, Mr. F",
            ],
            "Ticket": ["111", "112", "112", "999", "555", "777"],
            "Pclass": [3, 3, 3, 3, 3, 1],
            "Embarked": ["S", "S", "S", "S", "S", None],
        }
    )
    assert features.parties(people).tolist() == [
        0,
        0,
        0,
        3,
        4,
        5,
    ]  # A and B by name and neighbouring tickets, B and C by ticket


def test_parties_do_not_depend_on_the_order_of_rows(features, files):
    everyone = pd.concat(files, ignore_index=True)
    shuffled = everyone.sample(frac=1, random_state=3)
    a = features.parties(everyone).to_numpy()
    b = features.parties(shuffled.reset_index(drop=True)).to_numpy()[np.argsort(shuffled.index)]
    assert len(set(zip(a, b, strict=True))) == len(set(a)) == len(set(b))


def test_every_name_has_a_title(features, files):
    everyone = pd.concat(files)
    found = features.titles(everyone["Name"])
    assert set(found) == {"Mr", "Mrs", "Miss", "Master", "Rare"}
    counts = found.value_counts()
    assert counts["Mr"] == 757 and counts["Master"] == 61 and counts["Rare"] < 30
    odd = pd.Series(
        [
            "Rothes, the Countess. of (Lucy)",
            "Oliva y Ocana, Dona. Fermina",
            "Sagesser, Mlle. Emma",
            "Reynaldo, Ms. Encarnacion",
            "no comma at all",
        ]
    )
    assert features.titles(odd).tolist() == ["Rare", "Rare", "Miss", "Miss", "Rare"]


def test_neighbouring_decks_share_a_group(features):
    assert features.decks(pd.Series(["C85", "A6", "B51 B53", "E46", "F G73", "T", None])).fillna(
        "-"
    ).tolist() == ["ABC", "ABC", "ABC", "DE", "FG", "-", "-"]


def test_medians_are_learned_from_train_only(read, files, data):
    """Ages and fares of the test rows fill no gap of a training row."""
    train, test = files
    odd = read(train, test.assign(Age=99.0, Fare=9999.0))
    for c in ("Age", "LogFare"):
        np.testing.assert_array_equal(odd.train.x[c], data.train.x[c])


@pytest.mark.parametrize("column", ["Name", "Ticket", "Cabin", "Embarked"])
def test_a_missing_column_is_named(read, files, column):
    train, test = files
    with pytest.raises(DataError, match=column):
        read(train, test.drop(columns=column))
    with pytest.raises(DataError, match=column):
        read(train.drop(columns=column), test)


def test_empty_columns_and_columns_of_another_type(read, files):
    train, test = files
    data = read(
        train.assign(Cabin=None, Ticket=np.arange(len(train))),
        test.assign(Cabin=None, Ticket=np.arange(len(test)) + 5000, Fare=None),
    )
    fit, rows = data.fold(np.arange(500), None)
    assert fit.x["Deck"].isna().all() and rows.x["LogFare"].notna().all()


@pytest.mark.parametrize("column", ["Name", "Sex", "Ticket", "Age", "Pclass"])
def test_missing_values_are_handled(read, files, column):
    """Values missing where Kaggle's files have none."""
    train, test = (
        df.assign(**{column: df[column].mask(np.arange(len(df)) % 7 == 0)}) for df in files
    )
    data = read(train, test)
    for table in data.fold(np.arange(500), np.arange(500, 891)):
        assert np.isfinite(table.x[["companions", "companions_known"]].to_numpy()).all()


def test_the_rehearsal_can_be_read(comp, tmp_path):
    bundle = comp.module("rehearsal").make(tmp_path, seed=42)
    data = comp.read(bundle / "files")
    assert (len(data.train), len(data.test)) == (623, 268)
    fit, test = data.fold(np.arange(len(data.train)), None)
    assert len(fit) == 623 and len(test) == 268 and list(fit.x) == list(test.x)


def test_the_rule_predicts_that_men_die_and_parties_stay_together(comp, data, half):
    model = comp.module("women_and_children").women_and_children_model()
    fit, rows = data.fold(*half)
    yes = model.fit(fit).predict(rows)[:, 1]
    men = (rows.x["WomanOrChild"] == 0).to_numpy()
    assert (yes[men] < 0.5).all() and yes[~men].mean() > 0.5
    lost = (
        ~men
        & (rows.x["companions_known"] >= 2).to_numpy()
        & (rows.x["companions"] < 0.3).to_numpy()
    )
    assert lost.sum() > 5 and (yes[lost] < 0.5).all()
    assert ((yes > 0.5) == rows.targs).mean() > 0.78


def test_columns_used_by_features_are_not_listed_as_left_out(comp, data):
    assert comp.read_files(comp.folder).left_out == {"PassengerId": "id"} and data.left_out == {}


def test_the_default_readers_features_of_names_are_not_used(comp, data):
    assert "Name_topic0" in comp.read_files(comp.folder).train.cont_names
    columns = comp.module("data")
    assert (data.train.cat_names, data.train.cont_names) == (
        columns.CAT,
        (*columns.CONT, columns.PARTY),
    )
    assert data.notes == {}
