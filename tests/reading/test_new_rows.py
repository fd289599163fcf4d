"""New rows become the same features as the rows of the test file, without the training rows."""

import numpy as np
import pandas as pd
import pytest

from fastkaggle_plus.exceptions import DataError
from fastkaggle_plus.reading import read_tabular
from fastkaggle_plus.reading.text import read_text
from tests.modeling.pictures import make_pictures

N, N_TEST = 240, 60
RNG = np.random.default_rng(0)


def frame(n):
    """Return a column of each kind, with gaps; numbers and dates as they are written in Europe."""
    days = pd.Timestamp("2020-01-01") + pd.to_timedelta(RNG.integers(0, 900, n), unit="D")
    x = pd.DataFrame(
        {
            "id": np.arange(n),
            "price": [
                f"{v:,.2f}".replace(",", "_").replace(".", ",").replace("_", ".")
                for v in RNG.uniform(900, 5000, n)
            ],
            "size": RNG.normal(size=n),
            "sold": days.strftime("%d/%m/%Y"),
            "color": RNG.choice(["red", "green", "nan"], n),
            "city": [f"c{i}" for i in RNG.integers(0, 45, n)],
            "grade": RNG.choice(["A 1", "B 2"], n),
            "remark": [
                " ".join(RNG.choice("big old red new house flat garden near station".split(), 7))
                for _ in range(n)
            ],
        }
    )
    x["color"] = x["color"].mask(RNG.random(n) < 0.1)
    x["sold"] = x["sold"].mask(RNG.random(n) < 0.1)
    return x


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    frame(N).assign(y=RNG.normal(size=N)).to_csv(folder / "train.csv", index=False)
    frame(N_TEST).to_csv(folder / "test.csv", index=False)
    return folder


FACTS = dict(id="id", target=("y",), task="regression")


def check(data, rows):
    """Check that new rows are those of the test table, all at once and one at a time."""
    pd.testing.assert_frame_equal(data.new_rows(rows).x, data.test.x)
    one = data.new_rows(rows.iloc[3:4])
    pd.testing.assert_frame_equal(one.x, data.test.take(np.array([3])).x)


def test_every_kind_of_column(folder):
    data = read_tabular(folder, **FACTS)
    assert {"price", "sold_Elapsed", "city_count", "remark_topic0"} <= set(data.train.cont_names)
    assert data.new_rows.columns["sold"] == "date" and data.new_rows.columns["price"] == "float64"
    check(data, data.raw_test)
    check(data, data.raw_test.drop(columns="id"))
    with pytest.raises(DataError, match="lack price, size"):
        data.new_rows(data.raw_test.drop(columns=["price", "size"]))


def test_a_form_sends_one_row_as_texts(folder):
    data = read_tabular(folder, **FACTS)
    row = data.raw_test.iloc[5].to_dict()
    found = data.new_rows({**row, "size": str(row["size"]), "unknown": "x"})
    pd.testing.assert_frame_equal(found.x, data.test.take(np.array([5])).x)


def test_texts_and_their_features(folder):
    data = read_text(folder, columns=("remark", "city"), **FACTS)
    check(data, data.raw_test)
    table = data.new_rows([("a red house", "c1"), ("flat", "")])
    assert table.texts["remark"].tolist() == ["a red house", "flat"] and len(table.x) == 2
    with pytest.raises(DataError, match=r"2 string\(s\) for remark, city"):
        data.new_rows("a red house")


def test_images_and_their_colours(tmp_path):
    data = make_pictures(tmp_path, n=12, n_test=4)
    table = data.new_rows(list(data.test.images))
    pd.testing.assert_frame_equal(table.x, data.test.x)
    assert list(table.images) == list(data.test.images)
    with pytest.raises(DataError, match="path of an image"):
        data.new_rows(3)
