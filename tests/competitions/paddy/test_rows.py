"""train.csv has the right shares of classes, varieties and wrong labels."""

import numpy as np
import pytest
from scipy.stats import chi2_contingency

REAL = {
    "normal": 1764,
    "blast": 1738,
    "hispa": 1594,
    "dead_heart": 1442,
    "tungro": 1088,
    "brown_spot": 965,
    "downy_mildew": 620,
    "bacterial_leaf_blight": 479,
    "bacterial_leaf_streak": 380,
    "bacterial_panicle_blight": 337,
}


@pytest.fixture(scope="module")
def rows(rehearsal):
    return rehearsal.draw_rows(42, 6000)


def test_classes_come_in_the_shares_of_the_real_training_set(rows):
    shares = rows["shown"].value_counts(normalize=True)
    assert set(shares.index) == set(REAL) == set(rows["label"]) and sum(REAL.values()) == 10_407
    for name, count in REAL.items():
        assert shares[name] == pytest.approx(count / 10_407, abs=0.02), name


def test_five_percent_of_the_labels_are_wrong(rows):
    wrong = rows["label"] != rows["shown"]
    assert 0.04 < wrong.mean() < 0.06
    assert rows[wrong]["label"].nunique() == 10 and rows[wrong]["shown"].nunique() == 10


def test_a_row_depends_only_on_the_seed_and_its_number(rehearsal, rows):
    assert rehearsal.draw_rows(42, 50).equals(rows.head(50))
    assert not rehearsal.draw_rows(43, 50)["shown"].equals(rows["shown"].head(50))


def test_adt45_dominates_ten_varieties_and_ages_are_paddys(rows, painting):
    shares = rows["variety"].value_counts(normalize=True)
    assert shares.index[0] == "ADT45" and 0.55 < shares.iloc[0] < 0.75 and shares.iloc[1] < 0.15
    assert set(shares.index) == set(painting.VARIETIES) and len(shares) == 10
    assert rows["age"].between(45, 82).all() and rows["age"].min() == 45 and rows["age"].max() == 82


def test_variety_and_disease_are_linked_but_mildly(rows):
    table = rows.groupby(["variety", "shown"]).size().unstack(fill_value=0)
    chi2, p, *_ = chi2_contingency(table)
    assert p < 1e-6 and 0.05 < np.sqrt(chi2 / len(rows) / 9) < 0.3  # Cramer's V
    accuracy = table.max(axis=1).sum() / len(rows)  # of a guess from the variety alone
    assert rows["shown"].value_counts(normalize=True).iloc[0] < accuracy < 0.32


def test_a_few_images_are_landscape(rows):
    assert 0.005 < rows["is_landscape"].mean() < 0.02
