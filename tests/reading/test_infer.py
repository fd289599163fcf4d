"""Ids, targets and tasks are inferred as people would, on tables as Kaggle has them."""

import numpy as np
import pandas as pd
import pytest

from fastkaggle_plus.exceptions import ConfigError, DataError
from fastkaggle_plus.reading import read_tabular
from fastkaggle_plus.reading.infer import infer_competition

N, N_TEST = 90, 30
RNG = np.random.default_rng(3)
ALL = N + N_TEST
NUMBERS = RNG.permutation(10**6)[:ALL] / 7


def table(**columns):
    return pd.DataFrame({name: list(values) for name, values in columns.items()})


def write(folder, frame, targets, sample=None):
    """Write train.csv, test.csv and the sample submission, a dict of its columns."""
    frame[:N].to_csv(folder / "train.csv", index=False)
    frame[N:].drop(columns=targets).to_csv(folder / "test.csv", index=False)
    if sample is not None:
        pd.DataFrame(sample, index=range(N_TEST)).to_csv(
            folder / "sample_submission.csv", index=False
        )
    return folder


CLASSES = RNG.integers(0, 10, ALL)
FEW = RNG.choice(["a", "b", "c"], ALL)
DAYS = np.repeat(pd.date_range("2017-01-01", periods=ALL // 4), 4)
PASSENGERS = [f"{i // 2 + 1:04d}_{i % 2 + 1:02d}" for i in range(ALL)]
TABLES = {
    "house prices": (table(Id=range(1, ALL + 1), LotArea=NUMBERS.round(), SalePrice=NUMBERS), "Id"),
    "spaceship": (
        table(
            PassengerId=PASSENGERS,
            Cabin=[f"B/{i}/P" for i in range(ALL)],
            Name=[f"Ann {i}" for i in range(ALL)],
            Transported=RNG.choice([True, False], ALL),
        ),
        "PassengerId",
    ),
    "store sales": (
        table(id=range(3000, 3000 + ALL), date=DAYS, store=RNG.integers(1, 5, ALL), sales=NUMBERS),
        "id",
    ),
    "tweets": (
        table(
            id=np.sort(RNG.permutation(10_000)[:ALL]),
            keyword=FEW,
            location=[None, "Birmingham, UK", "here"] * (ALL // 3),
            text=[f"the {i}th deed, #{i}" for i in range(ALL)],
            target=RNG.integers(0, 2, ALL),
        ),
        "id",
    ),
    "playground": (table(id=range(ALL), f0=NUMBERS, f1=NUMBERS[::-1], Status=FEW), "id"),
    "rows in another order": (table(x=NUMBERS, n=RNG.permutation(ALL), y=FEW), "n"),
    "codes": (table(size=NUMBERS, sku=[f"ab{i}-{i:x}" for i in range(ALL)], y=FEW), "sku"),
    "file names": (table(size=NUMBERS, image=[f"a{i}.jpg" for i in range(ALL)], y=FEW), "image"),
    "tags": (table(tags=[f"red,blue,{i}" for i in range(ALL)], price=NUMBERS, y=FEW), "row"),
    "measurements": (table(x=NUMBERS, people=(NUMBERS * 7).round(), y=FEW), "row"),
    "a series": (table(date=pd.date_range("2020-01-01", periods=ALL), y=NUMBERS), "row"),
    "names": (table(name=[f"Ann Lee {i}" for i in range(ALL)], x=NUMBERS, y=FEW), "row"),
    "many ids": (table(user_id=CLASSES, x=NUMBERS, y=FEW), "row"),
}


@pytest.mark.parametrize("name", TABLES)
def test_the_id_is_found_without_a_sample_submission(tmp_path, name):
    frame, id = TABLES[name]
    target = frame.columns[-1]
    write(tmp_path, frame, [target])
    found = infer_competition(tmp_path, {"kind": "tabular"})
    assert (found.settings["id"], found.settings["target"]) == (id, target)
    assert ("numbered from 1" in found.reasons["id"]) == (id == "row")
    task = found.settings["task"]
    if name in ("store sales", "a series"):
        assert found.settings["split"] == {"kind": "time", "column": "date"}
    if set(frame) - {target, "date"}:
        data = read_tabular(tmp_path, id=id, target=(target,), task=task, keep_text=True)
        assert len(set(data.test_ids)) == N_TEST == len(data.sample)
        if id == "row":
            assert list(data.ids) == list(range(1, N + 1)) and list(data.sample) == ["row", target]


def test_row_numbers_are_ids_as_in_the_sample_submission(tmp_path):
    """Digit Recognizer: label,pixel0,... and ImageId,Label."""
    frame = table(label=CLASSES, pixel0=NUMBERS, pixel1=NUMBERS[::-1])
    write(tmp_path, frame, ["label"], {"ImageId": range(1, N_TEST + 1), "Label": 0})
    found = infer_competition(tmp_path, {"kind": "tabular"})
    assert found.settings["id"] == "ImageId" and "numbered from 1" in found.reasons["id"]
    assert (found.settings["target"], found.settings["task"]) == ("label", "multiclass")
    data = read_tabular(tmp_path, id="ImageId", target=("label",), task="multiclass")
    assert list(data.ids[:2]) == [1, 2] and list(data.test_ids[:2]) == [1, 2]
    assert data.left_out["ImageId"].endswith("rows are numbered from 1")
    assert list(data.sample) == ["ImageId", "Label"]
    write(tmp_path, frame, ["label"], {"ImageId": range(N_TEST), "Label": 0})
    assert read_tabular(tmp_path, id="ImageId", target=("label",), task="multiclass").ids[0] == 0
    with pytest.raises(DataError, match=r'id = "Imageid": .*no such column'):
        read_tabular(tmp_path, id="Imageid", target=("label",), task="multiclass")


def test_an_id_may_have_another_name_in_the_sample_submission(tmp_path):
    frame = table(image_id=[f"x{i}" for i in range(ALL)], size=NUMBERS, y=FEW)
    write(tmp_path, frame, ["y"], {"ImageId": frame["image_id"][N:].tolist(), "y": "a"})
    found = infer_competition(tmp_path, {"kind": "tabular"})
    assert found.reasons["id"].endswith("equal to the column image_id")
    data = read_tabular(tmp_path, id="ImageId", target=("y",), task="multiclass")
    assert data.ids[0] == "x0" and data.test_ids[0] == f"x{N}"


def test_ids_that_only_the_sample_submission_has_are_those_of_the_test_rows(tmp_path):
    frame = table(Store=CLASSES, Date=DAYS, Sales=NUMBERS)
    ids = [f"{s}_{d:%Y-%m-%d}_{i}" for i, (s, d) in enumerate(zip(CLASSES, DAYS, strict=True))]
    write(tmp_path, frame, ["Sales"], {"Id": ids[N:], "Sales": 0.0})
    found = infer_competition(tmp_path, {"kind": "tabular"})
    assert "in the order of the test rows" in found.reasons["id"]
    data = read_tabular(tmp_path, id="Id", target=("Sales",), task="regression")
    assert data.test_ids.tolist() == ids[N:]


def test_several_targets_and_other_capitals(tmp_path):
    frame = table(id=range(ALL), f0=NUMBERS, heat=NUMBERS, cool=NUMBERS)
    write(tmp_path, frame, ["heat", "cool"], {"id": range(N, ALL), "Heat": 0.0, "Cool": 0.0})
    found = infer_competition(tmp_path, {"kind": "tabular"})
    assert found.settings["target"] == ["heat", "cool"]
    assert found.settings["metric"] == "mean_columnwise_rmse"


def test_a_single_table_needs_only_its_target(tmp_path):
    frame = table(size=NUMBERS, species=FEW)
    frame.to_csv(tmp_path / "penguins.csv", sep=";", index=False)
    (tmp_path / "README.txt").write_text("about")
    with pytest.raises(ConfigError, match=r"are size, species\. Name it with --target"):
        infer_competition(tmp_path, {"kind": "tabular"})
    found = infer_competition(tmp_path, {"kind": "tabular", "target": "species"})
    assert (found.settings["train"], found.settings["test"]) == ("penguins.csv", "test.csv")
    assert "holds out labelled rows" in found.reasons["test"]
    frame.rename(columns={"species": "label"}).to_csv(tmp_path / "penguins.csv", index=False)
    assert infer_competition(tmp_path, {"kind": "tabular"}).settings["target"] == "label"


def test_columns_that_look_like_groups_are_suggested(tmp_path):
    teams = [f"team {i // 4}" for i in range(ALL)]
    write(tmp_path, table(id=range(ALL), team=teams, x=NUMBERS, y=FEW), ["y"])
    found = infer_competition(tmp_path, {"kind": "tabular"})
    assert found.settings["split"] == {"kind": "stratified"}
    assert "--split group:team" in found.reasons["split"]
