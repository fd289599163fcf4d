"""Cleaning moves and rewrites, survives a kill anywhere, does nothing twice, and can be undone to the last byte."""

import os
import shutil
import sys

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fastkaggle_plus.competition import Competition
from fastkaggle_plus.exceptions import DataError, UnknownName
from fastkaggle_plus.kaggle_client import completeness
from fastkaggle_plus.reading import apply_cleaning, undo_cleaning
from fastkaggle_plus.reading.infer import facts_of

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


def make(folder, comp=PADDY):
    """Six images of one shade each, by label or flat, and two to predict."""
    (folder / "train_images").mkdir(parents=True)
    for i, (name, label) in enumerate(LABELS.items()):
        file = folder / "train_images" / (f"{label}/{name}" if comp is PADDY else name)
        file.parent.mkdir(exist_ok=True)
        Image.fromarray(np.full((8, 6, 3), 40 * i, dtype="uint8")).save(file)
    rows = [f'{name},{label},"ADT, 45",0{i}' for i, (name, label) in enumerate(LABELS.items())]
    (folder / "train.csv").write_text("\n".join(["image_id,label,variety,age", *rows]) + "\n")
    (folder / "sample_submission.csv").write_text("image_id,label\n8.jpg,\n9.jpg,\n")
    for name in ("8.jpg", "9.jpg"):
        (folder / "test_images").mkdir(exist_ok=True)
        Image.fromarray(np.full((8, 6, 3), 99, dtype="uint8")).save(folder / "test_images" / name)
    return folder


def table(actions=ACTIONS):
    return pd.DataFrame({"id": list(actions), "action": list(actions.values())})


def files(folder):
    """Every file but the lock and what a kill left half written: path -> bytes."""
    return {
        p.relative_to(folder).as_posix(): p.read_bytes()
        for p in folder.rglob("*")
        if p.is_file() and p.suffix not in (".lock", ".part")
    }


def test_images_move_and_the_reader_sees_the_change(tmp_path):
    data, was = make(tmp_path / "data"), files(make(tmp_path / "twin"))
    done = apply_cleaning(table(), PADDY, data)
    assert done[["id", "from", "to", "label_before", "label_after"]].values.tolist() == [
        [
            "1.jpg",
            "train_images/blast/1.jpg",
            "../data-removed/train_images/blast/1.jpg",
            "blast",
            "",
        ],
        ["3.jpg", "train_images/hispa/3.jpg", "train_images/normal/3.jpg", "hispa", "normal"],
    ]
    now = files(tmp_path)
    assert now["data-removed/train_images/blast/1.jpg"] == was["train_images/blast/1.jpg"]
    assert (
        now["data/train_images/normal/3.jpg"] == was["train_images/hispa/3.jpg"]
        and "data/train_images/hispa/3.jpg" not in now
    )
    assert now["data/train.csv.orig"] == was["train.csv"]
    assert now["data/train.csv"].decode().splitlines() == [
        "image_id,label,variety,age",
        '2.jpg,blast,"ADT, 45",01',
        '3.jpg,normal,"ADT, 45",02',
        *was["train.csv"].decode().splitlines()[4:],
    ]
    read = PADDY.read(data)
    assert (
        read.ids.tolist() == ["2.jpg", "3.jpg", "4.jpg", "5.jpg", "6.jpg"]
        and [read.vocab[t] for t in read.targs][1] == "normal"
    )
    assert "train images" not in read.left_out and read.train.x["mean_r"][1] == pytest.approx(
        80 / 255, abs=0.02
    )
    journal = pd.read_csv(data / "cleaning.csv", keep_default_na=False)
    assert list(journal) == [
        "action",
        "id",
        "file",
        "from",
        "to",
        "label_before",
        "label_after",
        "date",
    ] and journal["id"].tolist() == ["", "1.jpg", "3.jpg"]
    assert facts_of(data, {"kind": "images", "images": {}})["train"] == "train.csv"


def test_a_second_call_does_nothing_and_a_later_one_goes_on(tmp_path):
    data = make(tmp_path / "data")
    apply_cleaning(table(), PADDY, data)
    once = files(tmp_path)
    assert apply_cleaning(table(), PADDY, data).empty and files(tmp_path) == once
    done = apply_cleaning(table({"3.jpg": "remove", "2.jpg": "hispa"}), PADDY, data)
    assert (
        done["from"].tolist() == ["train_images/blast/2.jpg", "train_images/normal/3.jpg"]
        and done["file"].tolist()[1] == "train_images/hispa/3.jpg"
    )
    assert (
        PADDY.read(data).ids.tolist() == ["2.jpg", "4.jpg", "5.jpg", "6.jpg"]
        and files(tmp_path)["data/train.csv.orig"] == once["data/train.csv.orig"]
    )
    with pytest.raises(DataError, match=r"1 rows to relabel were removed.*1\.jpg.*undo_cleaning"):
        apply_cleaning(table({"1.jpg": "hispa"}), PADDY, data)


def test_undo_puts_back_every_byte_and_cleaning_can_begin_again(tmp_path):
    data = make(tmp_path / "data")
    was = files(data)
    assert undo_cleaning(data).empty and files(data) == was
    for actions in (ACTIONS, {"3.jpg": "blast", "2.jpg": "remove"}, {"3.jpg": "hispa"}):
        apply_cleaning(table(actions), PADDY, data)
    done = undo_cleaning(data)
    assert sorted(done["id"]) == ["1.jpg", "2.jpg", "3.jpg"] and done["label_after"].tolist() == [
        LABELS[i] for i in done["id"]
    ]
    assert {
        k: v for k, v in files(data).items() if k not in ("cleaning.csv", "train.csv.orig")
    } == was
    assert not files(tmp_path / "data-removed") and undo_cleaning(data).empty
    assert len(apply_cleaning(table(), PADDY, data)) == 2 and len(PADDY.read(data).ids) == 5
    undo_cleaning(data)
    assert files(data)["train.csv"] == was["train.csv"]


def killed_before(step, work):
    """Run `work` in a child that dies before its file operation number `step`; say whether it died."""
    child = os.fork()
    if not child:
        left = [float("inf") if step == "whole" else step]

        def hook(event, args):
            if event in ("os.rename", "os.remove", "os.mkdir"):
                left[0] -= 1
                if left[0] < 0:
                    os._exit(9)

        sys.addaudithook(hook)
        work()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


def clean(data):
    apply_cleaning(table(), PADDY, data)


def clean_and_undo(data):
    clean(data)
    undo_cleaning(data)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize(
    "first, then, deaths",
    [(clean, clean, 5), (clean, undo_cleaning, 5), (clean_and_undo, undo_cleaning, 9)],
)
def test_what_a_kill_left_is_completed_or_undone(tmp_path, first, then, deaths):
    original = make(tmp_path / "original")

    def left_by(step, first, then):
        """Whether a kill came, and the files after the second call."""
        data = tmp_path / f"{step}" / "data"
        shutil.copytree(original, data)
        died = killed_before(step, lambda: first(data))
        then(data)
        return died, {
            k: v
            for k, v in files(data.parent).items()
            if k != "data/cleaning.csv" and not k.endswith(".orig")
        }

    wanted = (
        left_by("whole", clean, clean)[1]
        if then is clean
        else {f"data/{k}": v for k, v in files(original).items()}
    )
    step = 0
    while (came := left_by(step, first, then))[0]:
        assert came[1] == wanted, step
        step += 1
    assert step >= deaths


def test_a_move_that_was_killed_between_two_disks_is_completed(tmp_path):
    data = make(tmp_path / "data")
    apply_cleaning(table(), PADDY, data)
    once = files(tmp_path)
    shutil.copy(
        tmp_path / "data-removed/train_images/blast/1.jpg", data / "train_images/blast/1.jpg"
    )
    assert apply_cleaning(table(), PADDY, data).empty and files(tmp_path) == once


def test_flat_images_stay_and_given_folders_are_used(tmp_path):
    data = make(tmp_path / "data", FLAT)
    done = apply_cleaning(table(), FLAT, data, removed_to=tmp_path / "bin")
    assert (tmp_path / "bin/train_images/1.jpg").exists() and done["to"].tolist()[
        1
    ] == "train_images/3.jpg" == done["from"].tolist()[1]
    assert (
        len(FLAT.read(data).ids) == 5
        and undo_cleaning(data)["id"].tolist() == ["1.jpg", "3.jpg"]
        and not files(tmp_path / "bin")
    )
    was = files(tmp_path)
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(DataError, match=r"Cannot write .*file.*make it writable, or clean a copy"):
        apply_cleaning(table({"2.jpg": "remove"}), FLAT, data, removed_to=tmp_path / "file")
    assert files(tmp_path) == {**was, "file": b"no folder"}
    with pytest.raises(DataError, match="inside the training images"):
        apply_cleaning(table(), FLAT, data, removed_to=data / "train_images" / "bin")


def test_nothing_is_ever_overwritten(tmp_path):
    data = make(tmp_path / "data")
    for other, actions in (
        ("data-removed/train_images/blast/1.jpg", {"1.jpg": "remove"}),
        ("data/train_images/normal/3.jpg", {"3.jpg": "normal"}),
    ):
        other = tmp_path / other
        other.parent.mkdir(parents=True, exist_ok=True)
        other.write_bytes(b"another")
        was = files(tmp_path)
        with pytest.raises(DataError, match="another file has that name"):
            apply_cleaning(table(actions), PADDY, data)
        assert files(tmp_path) == was
        other.unlink()
    (data / "train.csv.orig").write_text("mine")
    with pytest.raises(DataError, match=r"train\.csv\.orig is there already"):
        apply_cleaning(table(), PADDY, data)
    assert (data / "train.csv.orig").read_text() == "mine" and not (data / "cleaning.csv").exists()


@pytest.mark.parametrize(
    "actions, error, words",
    [
        (
            {"1.jpg": "hispas"},
            UnknownName,
            r"Unknown action 'hispas'. Did you mean 'hispa'\? Known: blast, hispa, keep, normal, remove",
        ),
        ({"1.jpg": "remov"}, UnknownName, "Did you mean 'remove'"),
        (
            {"1.jpg": "remove", "77.jpg": "remove"},
            DataError,
            r"1 ids of the table are not in .*train\.csv: 77\.jpg",
        ),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_moves(tmp_path, actions, error, words):
    data = make(tmp_path / "data")
    was = files(tmp_path)
    with pytest.raises(error, match=words):
        apply_cleaning(table(actions), PADDY, data)
    assert files(tmp_path) == was


def test_a_table_that_is_none_is_refused(tmp_path):
    data = make(tmp_path / "data")
    with pytest.raises(DataError, match="no column 'action'; its columns: id"):
        apply_cleaning(table().drop(columns="action"), PADDY, data)
    with pytest.raises(DataError, match=r"two actions for id 1\.jpg"):
        apply_cleaning(pd.concat([table(), table({"1.jpg": "hispa"})]), PADDY, data)
    assert apply_cleaning(
        pd.concat([table({"1.jpg": "remove"})] * 2).replace("", np.nan), PADDY, data
    )["id"].tolist() == ["1.jpg"]
    (data / "cleaning.csv").write_text("action,id\nremove,3.jpg\n")
    with pytest.raises(DataError, match="does not read as the journal of a cleaning"):
        undo_cleaning(data)


def test_rows_without_images_and_labels_that_are_numbers(tmp_path):
    comp = Competition(slug="toy", task="binary", metric="accuracy", id="id", target="y")
    (tmp_path / "train.csv").write_text(
        "id,y,x\n" + "".join(f"{i:03d},{i % 2},{i}.50\n" for i in range(8))
    )
    (tmp_path / "test.csv").write_text("id,x\n100,1\n")
    actions = pd.DataFrame({"id": ["001", "002"], "action": [0.0, np.nan]})
    assert apply_cleaning(actions, comp, tmp_path)[
        ["from", "to", "label_before", "label_after"]
    ].values.tolist() == [["", "", "1", "0"]]
    assert (tmp_path / "train.csv").read_text().splitlines()[2] == "001,0,1.50" and comp.read(
        tmp_path
    ).targs.tolist() == [0, 0, 0, 1, 0, 1, 0, 1]
    with pytest.raises(UnknownName, match="Known: keep, remove"):
        apply_cleaning(
            actions, comp.model_copy(update={"task": "regression", "metric": "rmse"}), tmp_path
        )


def test_an_image_of_two_rows_is_refused(tmp_path):
    data = make(tmp_path / "data", FLAT)
    with (data / "train.csv").open("a") as f:
        f.write("1,hispa,x,9\n")
    with pytest.raises(DataError, match=r"image train_images/1\.jpg belongs to 2 training rows"):
        apply_cleaning(table(), FLAT, data)


def test_setup_does_not_fetch_again_what_was_cleaned(tmp_path):
    data = make(tmp_path / "data")
    completeness.write(data, "paddy", origin="sandbox", files=completeness.files_in(data))
    apply_cleaning(table(), PADDY, data)
    assert completeness.is_complete(data, "paddy", origin="sandbox")
    (data / "cleaning.csv").rename(data / "away.csv")
    (data / "cleaning.csv").write_text("a,competition's,own\n")
    assert not completeness.is_complete(data, "paddy", origin="sandbox")
    (data / "away.csv").replace(data / "cleaning.csv")
    (data / "train_images/blast/2.jpg").unlink()
    assert not completeness.is_complete(data, "paddy", origin="sandbox")
