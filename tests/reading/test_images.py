"""The image baseline: finds each row's image, turns it into numbers, names what it cannot read."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fastkaggle_plus.exceptions import DataError
from fastkaggle_plus.reading.images import find_images, image_features, read_images

from .pictures import turned

N = 24


@pytest.fixture(autouse=True)
def own_home(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("FKP_HOME", str(tmp_path_factory.mktemp("home")))


def paint(file, colour, size=(20, 30)):
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((size[1], size[0], 3), colour, dtype="uint8")).save(file)


def make(folder, where="{label}/{id}", suffix=".png"):
    """Red images of class r, blue ones of class b; test images lie flat."""
    labels = ["r", "b"] * (N // 2)
    pd.DataFrame(
        {"id": [f"{i:03d}{suffix}" for i in range(N)], "label": labels, "age": range(N)}
    ).to_csv(folder / "train.csv", index=False)
    pd.DataFrame({"id": [f"{i:03d}{suffix}" for i in range(100, 106)], "label": "?"}).to_csv(
        folder / "sample_submission.csv", index=False
    )
    for i, label in enumerate(labels):
        file = folder / "train_images" / where.format(label=label, id=f"{i:03d}{suffix or '.png'}")
        paint(file, (200, 0, i) if label == "r" else (0, i, 200), (20 + i % 2, 30))
    for i in range(100, 106):
        paint(folder / "test_images" / f"{i:03d}{suffix or '.png'}", (200, 0, 0))
    return folder


def read(folder, **options):
    return read_images(
        folder,
        id="id",
        target=("label",),
        task="multiclass",
        test="sample_submission.csv",
        **options,
    )


@pytest.mark.parametrize(
    ("where", "name", "suffix"),
    [
        ("{label}/{id}", "{label}/{id}", ".png"),
        ("{id}", "{id}", ".png"),
        ("{id}", "{id}.png", ""),
        ("{label}/{id}", "{id}", ""),
        ("{id}", "{id}", ".jpg"),
    ],
)
def test_images_in_class_folders_and_flat(tmp_path, where, name, suffix):
    data = read(make(tmp_path, where, suffix), name=name)
    assert len(data.train) == N and len(data.test) == 6 and list(data.train.x) == list(data.test.x)
    assert data.train.x.notna().all(axis=None) and data.test.x.notna().all(axis=None)
    reds = data.train.x["mean_r"] > 0.5
    assert (reds == (data.raw_train["label"] == "r")).all() and (data.test.x["mean_r"] > 0.5).all()
    assert data.train.x["width_px"].tolist()[:2] == [20, 21] and "age" not in data.train.x
    assert data.vocab == ("b", "r") and "train images" not in data.left_out


def test_the_template_chooses_between_two_images_of_one_name(tmp_path):
    for label in ("a", "b"):
        paint(tmp_path / label / "1.png", (0, 0, 0))
    rows = pd.DataFrame({"id": [1, 1, 2], "label": ["a", "b", "a"]})
    assert find_images(rows, tmp_path, id="id", name="{label}/{id}.png") == [
        tmp_path / "a" / "1.png",
        tmp_path / "b" / "1.png",
        None,
    ]
    assert find_images(rows, tmp_path, id="id", name="{label}/{id}")[1] == tmp_path / "b" / "1.png"
    assert (
        find_images(rows.assign(label=np.nan), tmp_path, id="id", name="{label}/{id}")[0] is None
    )  # a sample with empty answers: it could be either
    (tmp_path / "b" / "1.png").unlink()
    assert (
        find_images(rows.assign(label=np.nan), tmp_path, id="id", name="{label}/{id}")[0]
        == tmp_path / "a" / "1.png"
    )


def test_a_name_in_several_folders_finds_no_wrong_image(tmp_path):
    for label in ("r", "b"):
        paint(tmp_path / "train_images" / label / "1.png", 9)
    rows = pd.DataFrame({"id": ["train_images/r/1.png", "train_images/b/1"], "n": ["1.png", "1"]})
    found = find_images(rows, tmp_path / "train_images", id="id", name="{id}")
    assert found == [tmp_path / "train_images/r/1.png", tmp_path / "train_images/b/1.png"]
    assert find_images(rows, tmp_path / "train_images", id="n", name="{n}") == [None, None]


def test_some_unreadable_images_are_named_and_all_of_them_are_fatal(tmp_path):
    make(tmp_path)
    (tmp_path / "train_images/r/000.png").write_bytes(b"no image")
    (tmp_path / "train_images/b/001.png").unlink()
    whole = (tmp_path / "train_images/r/002.png").read_bytes()
    (tmp_path / "train_images/r/002.png").write_bytes(whole[: len(whole) // 2])
    data = read(tmp_path)
    assert data.left_out["train images"].startswith(
        "3 not there or not readable: 000.png, 001.png, 002.png"
    )
    assert data.train.x["mean_r"].isna().sum() == 3 and len(data.train) == N
    with pytest.raises(
        DataError,
        match=r"None of the 24 train images can be read from .*nowhere, the first of id 000\.png\.",
    ):
        read(tmp_path, train_folder="nowhere")
    for file in (tmp_path / "test_images").iterdir():
        file.write_bytes(b"no image")
    with pytest.raises(
        DataError,
        match=r"None of the test images in .*decodes, .*100\.png among them\. `check_images`",
    ):
        read(tmp_path)


def test_rows_match_their_images_if_rows_and_images_are_missing(tmp_path):
    make(tmp_path)
    rows = pd.read_csv(tmp_path / "train.csv", dtype={"id": str})
    rows.loc[3, "label"] = None  # left out
    rows.to_csv(tmp_path / "train.csv", index=False)
    (tmp_path / "train_images/r/004.png").unlink()
    (tmp_path / "train_images/b/005.png").write_bytes(b"")
    data = read(tmp_path, name="{label}/{id}")
    train, test = data.train.images, data.test.images
    assert len(train) == len(data.train) == N - 1 and len(test) == 6 and train.files is test.files
    wanted = [
        f"{label}/{i}" if i != "004.png" else ""
        for i, label in zip(data.raw_train["id"], data.raw_train["label"], strict=True)
    ]
    assert [
        f and "/".join(Path(f).parts[-2:]) for f in train
    ] == wanted and "003.png" not in "".join(wanted)
    assert [Path(f).name for f in test] == data.raw_test["id"].tolist()
    assert data.left_out["train images"].startswith("2 not there or not readable: 004.png, 005.png")
    part, files = data.train.take(np.array([5, 0])), list(train)
    assert list(part.images) == [files[5], files[0]] and data.train.x["mean_r"].isna().tolist()[
        3:5
    ] == [True, True]


def test_columns_of_train_only_are_kept_outside_the_features(tmp_path):
    data = read(make(tmp_path))
    assert (
        list(data.train.also) == ["age"]
        and data.train.also["age"].tolist() == list(range(N))
        and data.test.also is None
    )
    pd.read_csv(tmp_path / "train.csv", dtype=str).drop(columns="age").to_csv(
        tmp_path / "train.csv", index=False
    )
    assert read(tmp_path).train.also is None


def test_features_are_computed_once_for_all_readers(tmp_path):
    first = read(make(tmp_path)).train.x
    file = tmp_path / "train_images/r/000.png"
    before = file.stat()
    file.write_bytes(b"x" * before.st_size)  # reading it again would fail
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    pd.testing.assert_frame_equal(read(tmp_path).train.x, first)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    assert read(tmp_path).train.x["mean_r"].isna().tolist() == [True] + [False] * (N - 1)


def test_size_features_are_as_the_image_is_shown(tmp_path):
    features = image_features([turned(tmp_path / "a.jpg", 6, height=40, width=60), ""])
    assert (
        features["width_px"].tolist()[0] == 60
        and features["height_px"].tolist()[0] == 40
        and features.iloc[1].isna().all()
    )


def test_columns_in_both_files_stay_features(tmp_path):
    make(tmp_path)
    pd.DataFrame({"id": [f"{i:03d}.png" for i in range(100, 106)], "age": range(6)}).to_csv(
        tmp_path / "test.csv", index=False
    )
    data = read_images(tmp_path, id="id", target=("label",), task="multiclass")
    assert "age" in data.train.cont_names and data.test.x["age"].tolist() == [0, 1, 2, 3, 4, 5]


def test_grey_palette_and_transparent_images_and_a_single_pixel(tmp_path):
    files = []
    for mode, value in (("L", 128), ("P", 3), ("RGBA", (10, 20, 30, 0)), ("I;16", 40), ("1", 1)):
        files.append(tmp_path / f"{mode.replace(';', '')}.png")
        Image.new(mode, (7, 5), value).save(files[-1])
    paint(tmp_path / "dot.png", (255, 0, 0), (1, 1))
    features = image_features([*files, tmp_path / "dot.png"])
    assert features.notna().all(axis=None) and features["mean_r"].iloc[-1] == 1.0


def test_features_differ_by_edges_and_places(tmp_path):
    stripes = np.zeros((30, 30, 3), dtype="uint8")
    stripes[:, ::2] = 255
    Image.fromarray(stripes).save(tmp_path / "stripes.png")
    half = np.zeros((30, 30, 3), dtype="uint8")
    half[:15] = 255
    Image.fromarray(half).save(tmp_path / "half.png")
    features = image_features([tmp_path / "stripes.png", tmp_path / "half.png"])
    assert features["edges_r"][0] > 10 * features["edges_r"][1] and features["mean_r"][
        0
    ] == pytest.approx(features["mean_r"][1])
    assert features["thumb_r00"][1] == 1 and features["thumb_r50"][1] == 0
