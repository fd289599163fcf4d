"""cleaning.csv removes and relabels training rows when data is read, and never changes the data."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fastkaggle_plus.competition import Competition, load_comp
from fastkaggle_plus.exceptions import DataError, UnknownName
from fastkaggle_plus.kaggle_client import completeness
from fastkaggle_plus.reading import apply_cleaning, undo_cleaning
from fastkaggle_plus.reading.infer import infer_competition
from fastkaggle_plus.sweeps import Sweep, Trial, run_local
from fastkaggle_plus.sweeps.vault import Vault

LABELS = {
    "1.jpg": "blast",
    "2.jpg": "blast",
    "3.jpg": "hispa",
    "4.jpg": "hispa",
    "5.jpg": "normal",
    "6.jpg": "normal",
}
PADDY = Competition(
    slug="paddy",
    kind="images",
    task="multiclass",
    metric="accuracy",
    id="image_id",
    target="label",
    test="sample_submission.csv",
    images={"name": "{label}/{image_id}"},
)
FLAT = PADDY.model_copy(update={"images": None})
ACTIONS = {"1.jpg": "remove", "3.jpg": "normal", "5.jpg": "keep", "6.jpg": ""}
REMOVED, RELABELLED = (
    ["train_images/blast/1.jpg", "remove", ""],
    ["train_images/hispa/3.jpg", "relabel", "normal"],
)


def save_image(file, shade):
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((8, 6, 3), shade, dtype="uint8")).save(file)


def make(folder, comp=PADDY):
    """Write six training images, in folders of their label or in one, and two test images."""
    for i, (name, label) in enumerate(LABELS.items()):
        save_image(folder / "train_images" / (f"{label}/{name}" if comp is PADDY else name), 40 * i)
    for name in ("8.jpg", "9.jpg"):
        save_image(folder / "test_images" / name, 99)
    rows = [f'{name},{label},"ADT, 45",0{i}' for i, (name, label) in enumerate(LABELS.items())]
    (folder / "train.csv").write_text("\n".join(["image_id,label,variety,age", *rows]) + "\n")
    (folder / "sample_submission.csv").write_text("image_id,label\n8.jpg,\n9.jpg,\n")
    return folder


def make_table(tmp_path):
    """Write a table of eight rows with two classes, and return its competition and its folder."""
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy/competition.toml").write_text(
        'task = "binary"\nmetric = "accuracy"\nid = "id"\ntarget = "y"\n'
    )
    data = tmp_path / "data"
    data.mkdir()
    rows = "".join(f"{i:03d},{i % 2},{i}.50\n" for i in range(8))
    (data / "train.csv").write_text(f"id,y,x\n{rows}")
    (data / "test.csv").write_text("id,x\n100,1\n")
    return load_comp(tmp_path / "toy"), data


def table(actions=ACTIONS):
    return pd.DataFrame({"id": list(actions), "action": list(actions.values())})


def files(folder):
    return {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def labels(data):
    return {str(i): data.vocab[t] for i, t in zip(data.ids, data.targs, strict=True)}


def listed(folder):
    return pd.read_csv(folder / "cleaning.csv", keep_default_na=False, dtype=str).values.tolist()


@pytest.fixture
def data(tmp_path):
    return make(tmp_path / "data")


def test_rows_are_removed_and_relabelled_and_no_file_changes(data):
    before, whole = files(data), PADDY.read(data)
    changed = apply_cleaning(table(), PADDY, data)
    assert changed.values.tolist() == [REMOVED, RELABELLED] == listed(data)
    assert list(changed) == ["file", "action", "label"]
    assert {f: b for f, b in files(data).items() if f.name != "cleaning.csv"} == before
    read = PADDY.read(data)
    assert labels(read) == {i: w for i, w in LABELS.items() if i != "1.jpg"} | {"3.jpg": "normal"}
    assert read.raw_train["label"].tolist() == list(labels(read).values())
    assert read.train.x["mean_r"].tolist() == whole.train.x["mean_r"].tolist()[1:]
    assert list(read.train.images) == list(whole.train.images)[1:]
    assert read.train.also["age"].tolist() == [1, 2, 3, 4, 5]
    assert read.test_ids.tolist() == whole.test_ids.tolist() and read.vocab == whole.vocab
    assert read.left_out["training rows"] == (f"1 removed, 1 relabelled by {data / 'cleaning.csv'}")
    assert PADDY.read(data, cleaned=False).fingerprint() == whole.fingerprint()
    inferred = infer_competition(data, {"kind": "images", "images": {}}).settings
    assert inferred["train"] == "train.csv"


def test_a_second_call_changes_nothing_and_of_later_ones_the_last_word_counts(data):
    apply_cleaning(table(), PADDY, data)
    once = files(data)
    assert apply_cleaning(table(), PADDY, data).empty and files(data) == once
    later = {"1.jpg": "hispa", "2.jpg": "hispa", "3.jpg": "keep"}
    apply_cleaning(table(later), PADDY, data)
    assert labels(PADDY.read(data)) == {**LABELS, "1.jpg": "hispa", "2.jpg": "hispa"}
    apply_cleaning(table({"1.jpg": "blast", "2.jpg": "remove"}), PADDY, data)
    assert listed(data) == [["train_images/blast/2.jpg", "remove", ""]]


def test_all_changes_or_some_are_undone(data):
    whole = PADDY.read(data)
    assert undo_cleaning(data).empty
    apply_cleaning(table({**ACTIONS, "2.jpg": "remove"}), PADDY, data)
    assert undo_cleaning(data, only=["1", "train_images/hispa/3.jpg"]).values.tolist() == [
        REMOVED,
        RELABELLED,
    ]
    assert "1.jpg" in PADDY.read(data).ids and "2.jpg" not in PADDY.read(data).ids
    with pytest.raises(UnknownName, match=r"row of cleaning\.csv '7'"):
        undo_cleaning(data, only=["7"])
    assert len(undo_cleaning(data)) == 1 and not (data / "cleaning.csv").exists()
    assert PADDY.read(data).fingerprint() == whole.fingerprint()
    with pytest.raises(DataError, match="is not a folder"):
        undo_cleaning(data / "none")


def test_the_competition_folder_has_the_file_that_counts(tmp_path):
    comp, data = make_table(tmp_path)
    (data / "cleaning.csv").write_text("file,action,label\n000,remove,\n")
    (comp.folder / "cleaning.csv").write_text("file,action,label\n001,remove,\n")
    assert comp.read(data).ids.tolist() == [f"{i:03d}" for i in range(8) if i != 1]
    apply_cleaning(table({"002": "remove"}), comp, data)
    assert listed(data) == [["000", "remove", ""]]
    assert listed(comp.folder) == [["001", "remove", ""], ["002", "remove", ""]]
    assert undo_cleaning(comp.folder)["file"].tolist() == ["001", "002"]
    assert comp.read(data).ids.tolist()[0] == "001"


def test_the_file_of_the_competition_folder_serves_a_part_of_the_data_too(tmp_path):
    comp, data = make_table(tmp_path)
    (comp.folder / "cleaning.csv").write_text("file,action,label\n001,remove,\n007,remove,\n")
    train = (data / "train.csv").read_text().splitlines(keepends=True)
    (data / "train.csv").write_text("".join(train[:-1]))  # without 007
    read = comp.read(data)
    assert len(read.ids) == 6 and "001" not in read.ids
    assert read.left_out["training rows"].startswith("1 removed, 0 relabelled by")
    assert "1 of its lines are for rows that this data does not have" in str(read.left_out)


def test_a_read_only_data_folder_leaves_the_file_to_the_competition_folder(tmp_path):
    comp, data = make_table(tmp_path)
    (data / "cleaning.csv.part").mkdir()  # cannot be written, not even by root
    apply_cleaning(table({"002": "remove"}), comp, data)
    assert listed(comp.folder) == [["002", "remove", ""]] and len(comp.read(data).ids) == 7
    (comp.folder / "cleaning.csv").unlink()
    (comp.folder / "cleaning.csv.part").mkdir()
    with pytest.raises(DataError, match=r"Cannot write .*cleaning\.csv\.part.*writable"):
        apply_cleaning(table({"002": "remove"}), comp, data)


def test_each_place_of_the_file_changes_the_fingerprint(tmp_path):
    comp, data = make_table(tmp_path)
    prints = {comp.read(data).fingerprint()}
    for folder in (data, comp.folder):
        for row in ("003,remove,", "003,relabel,0", "003,relabel,0\n004,remove,"):
            (folder / "cleaning.csv").write_text(f"file,action,label\n{row}\n")
            prints.add(comp.read(data).fingerprint())
        (folder / "cleaning.csv").write_text("file,action,label\n")
    assert len(prints) == 4  # the data, and three cleanings that are the same in both places


def test_trials_run_again_after_another_cleaning(tmp_path):
    comp, data = make_table(tmp_path)
    sweep = Sweep("toy", (Trial("tree", "forest.forest_model", {"n_estimators": 2}),), n_folds=2)

    def is_reused():
        [result] = run_local(sweep, comp, data, vault=Vault(tmp_path / "vault"), workers=0)
        assert result.predictions is not None, result.error
        return result.reused, len(result.predictions.ids)

    assert is_reused() == (False, 8)
    for folder, row in ((data, "003,remove,"), (comp.folder, "004,relabel,1")):
        (folder / "cleaning.csv").write_text(f"file,action,label\n{row}\n")
        n_rows = 7 if folder == data else 8
        assert is_reused() == (False, n_rows) and is_reused() == (True, n_rows)
    undo_cleaning(data)
    undo_cleaning(comp.folder)
    assert is_reused() == (True, 8)


@pytest.mark.parametrize(
    "actions, error, words",
    [
        (
            {"1.jpg": "hispas"},
            UnknownName,
            r"'hispas'. Did you mean 'hispa'\? Known: blast, hispa, keep, normal, remove",
        ),
        ({"1.jpg": "remov"}, UnknownName, "Did you mean 'remove'"),
        (
            {"1.jpg": "remove", "77.jpg": "remove"},
            DataError,
            r"1 ids of the table are not in the training data: 77\.jpg",
        ),
    ],
)
def test_unknown_actions_classes_and_ids_are_refused_before_anything_is_written(
    data, actions, error, words
):
    with pytest.raises(error, match=words):
        apply_cleaning(table(actions), PADDY, data)
    assert not (data / "cleaning.csv").exists()


def test_a_table_without_actions_or_with_two_for_one_row_is_refused(data):
    with pytest.raises(DataError, match="no column 'action'; its columns: id"):
        apply_cleaning(table().drop(columns="action"), PADDY, data)
    with pytest.raises(DataError, match=r"two actions for id 1\.jpg"):
        apply_cleaning(pd.concat([table(), table({"1.jpg": "hispa"})]), PADDY, data)
    repeated = pd.concat([table({"1.jpg": "remove"})] * 2).replace("", np.nan)
    assert apply_cleaning(repeated, PADDY, data).values.tolist() == [REMOVED]


@pytest.mark.parametrize(
    "text, words",
    [
        ("file,action,label\n1.jpg,remove,\n7.jpg,remove,\n", r"line 3 \(7\.jpg\).*found 0"),
        ("file,action,label\n1.jpg,remov,\n", r"line 2.*action 'remov'. Did you mean 'remove'"),
        ("file,action,label\n1.jpg,relabel,hisp\n", r"line 2.*label 'hisp'. Did you mean 'hispa'"),
        ("file,action,label\n1.jpg,remove,\n1.jpg,remove,\n", "line 3: 1.jpg is listed twice"),
        (
            "file,action\n1.jpg,remove\n",
            "expected the columns file, action, label; got file, action",
        ),
        ("", "No columns"),
        (
            "file,action,label\n" + "".join(f"{i}.jpg,remove,\n" for i in (1, 2, 3, 4)),
            "only one class would remain",
        ),
    ],
)
def test_a_wrong_handwritten_file_is_named_with_its_line(data, text, words):
    (data / "cleaning.csv").write_text(text)
    with pytest.raises(DataError, match=rf"(?s){data / 'cleaning.csv'}.*{words}"):
        PADDY.read(data)


def test_a_handwritten_file_may_name_images_by_their_id(data):
    (data / "cleaning.csv").write_text("file,action,label\n1.jpg,remove,\n3.jpg,relabel,blast\n")
    assert "1.jpg" not in PADDY.read(data).ids and labels(PADDY.read(data))["3.jpg"] == "blast"
    apply_cleaning(table(), PADDY, data)
    assert listed(data) == [REMOVED, RELABELLED]


def test_rows_without_images_and_labels_that_are_numbers(tmp_path):
    comp, data = make_table(tmp_path)
    actions = pd.DataFrame({"id": ["001", "002"], "action": [0.0, np.nan]})
    assert apply_cleaning(actions, comp, data).values.tolist() == [["001", "relabel", "0"]]
    assert comp.read(data).targs.tolist() == [0, 0, 0, 1, 0, 1, 0, 1]
    values = comp.model_copy(update={"task": "regression", "metric": "rmse", "folder": None})
    with pytest.raises(UnknownName, match="Known: keep, remove"):
        apply_cleaning(actions, values, data)


def test_an_id_or_image_of_two_rows_is_refused(data):
    with (data / "train.csv").open("a") as f:
        f.write("1,blast,x,9\n2.jpg,hispa,x,9\n")
    for id, name in (("1.jpg", r"train_images/blast/1\.jpg"), ("2.jpg", r"2\.jpg")):
        with pytest.raises(DataError, match=rf"{name} belongs to 2 training rows"):
            apply_cleaning(table({id: "remove"}), PADDY, data)


def test_a_class_with_the_name_of_an_action_is_refused(tmp_path):
    data = make(tmp_path / "data", FLAT)
    file = data / "train.csv"
    file.write_text(file.read_text().replace("hispa", "keep"))
    with pytest.raises(DataError, match="class called 'keep', which is also an action"):
        apply_cleaning(table({"1.jpg": "remove"}), FLAT, data)


def test_setup_does_not_download_again_after_a_cleaning(data):
    (data / "cleaning.csv").write_text("file,action,label\n")
    completeness.write(data, "paddy", origin="sandbox", files=completeness.files_in(data))
    apply_cleaning(table(), PADDY, data)
    assert completeness.is_complete(data, "paddy", origin="sandbox")
    (data / "train_images/blast/2.jpg").unlink()
    assert not completeness.is_complete(data, "paddy", origin="sandbox")
