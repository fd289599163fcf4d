"""Rows of files in many formats, and the rows of folders of images."""

import pandas as pd
import pytest
from PIL import Image

from fastkaggle_plus.exceptions import DataError
from fastkaggle_plus.reading import parse_rows, read_rows, read_tabular
from fastkaggle_plus.reading.class_folders import class_root, image_rows
from fastkaggle_plus.reading.csv import separator_of

N = 40
FRAME = pd.DataFrame(
    {
        "id": [f"{i:03d}" for i in range(N)],
        "when": pd.date_range("2024-01-01", periods=N),
        "town": ["Zürich, Altstadt", "Genève"] * (N // 2),
        "size": [i / 3 for i in range(N)],
        "note": [None, 'said "no"; left'] * (N // 2),
        "y": [True, False] * (N // 2),
    }
)


def read(folder, **files):
    return read_tabular(folder, id="id", target=("y",), task="binary", **files)


@pytest.fixture(scope="module")
def from_commas(tmp_path_factory):
    folder = tmp_path_factory.mktemp("commas")
    FRAME.to_csv(folder / "train.csv", index=False)
    FRAME.drop(columns="y").to_csv(folder / "test.csv", index=False)
    return read(folder)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("semicolons.csv", dict(sep=";")),
        ("european.csv", dict(sep=";", decimal=",", encoding="latin-1")),
        ("tabs.tsv", dict(sep="\t")),
        ("bars.txt", dict(sep="|", encoding="utf-16")),
        ("packed.csv.gz", dict(sep=";")),
        ("packed.csv.zip", {}),
    ],
)
def test_the_same_rows_in_another_form_give_the_same_data(tmp_path, name, options, from_commas):
    FRAME.to_csv(tmp_path / name, index=False, **options)
    FRAME.drop(columns="y").to_csv(tmp_path / f"test_{name}", index=False, **options)
    data = read(tmp_path, train=name, test=f"test_{name}")
    assert data.fingerprint() == from_commas.fingerprint() and data.ids[1] == "001"


def test_parquet_gives_the_same_data_also_with_the_id_as_index(tmp_path, from_commas):
    pytest.importorskip("pyarrow")
    FRAME.set_index("id").to_parquet(tmp_path / "train.parquet")
    FRAME.drop(columns="y").to_parquet(tmp_path / "test.pq")
    data = read(tmp_path, train="train.parquet", test="test.pq")
    assert data.fingerprint() == from_commas.fingerprint()
    (tmp_path / "test.pq").write_text("a,b")
    with pytest.raises(DataError, match=r"test\.pq does not read as parquet: .*Download it again"):
        read(tmp_path, train="train.parquet", test="test.pq")


def test_parquet_without_pyarrow_shows_the_install_line(tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "train.parquet").write_bytes(b"PAR1")
    with pytest.raises(ImportError, match=r"pip install 'fastkaggle_plus\[parquet\]'"):
        read_rows(tmp_path / "train.parquet")


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        ("a,b\n1;2,3\n", ","),
        ("a;b\n1,5;2,5\n", ";"),
        ("text\nhello; world\n", ","),
        ('a;b\n"x;\ny";2\n3;4\n', ";"),
        ('"a;b",c\n1,2\n', ","),
        ("", ","),
        ("a\tb\n1\t\n", "\t"),
    ],
)
def test_the_separator_splits_all_rows_alike(tmp_path, text, mark):
    (tmp_path / "f.csv").write_text(text)
    assert separator_of(tmp_path / "f.csv") == mark


def test_a_zip_of_several_files_is_refused(tmp_path):
    import zipfile

    with zipfile.ZipFile(tmp_path / "train.csv.zip", "w") as z:
        z.writestr("a.csv", "a\n1\n")
        z.writestr("b.csv", "a\n1\n")
    with pytest.raises(DataError, match=r"train\.csv\.zip does not read as csv: Multiple files"):
        read_rows(tmp_path / "train.csv.zip")


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if name.endswith((".txt", ".db", ".heic")):
            (folder / name).write_text("no image")
        else:
            Image.new("RGB", (4, 4)).save(folder / name)


@pytest.mark.parametrize(
    ("names", "root", "labels"),
    [
        (("cat/1.jpg", "dog/1.jpg"), ".", {"cat/1.jpg": "cat", "dog/1.jpg": "dog"}),
        (("train/cat/1.jpg", "train/dog/1.jpg", "test/3.jpg"), "train", {"cat/1.jpg": "cat"}),
        (
            ("train/cat/1.jpg", "valid/dog/1.jpg", "test/3.jpg"),
            ".",
            {"train/cat/1.jpg": "cat", "valid/dog/1.jpg": "dog"},
        ),
        (("Training_Set/Training_Set/a/1.jpg", "Training_Set/Training_Set/b/1.jpg"), None, {}),
        (("train/1.jpg", "plane/1.jpg"), ".", {"train/1.jpg": "train", "plane/1.jpg": "plane"}),
        (("cat/2020/may/1.png", "dog/2.JPEG"), ".", {"cat/2020/may/1.png": "cat"}),
        (("NA/1.jpg", "1/1.jpg", "01/1.jpg"), ".", {"NA/1.jpg": "NA", "1/1.jpg": "1"}),
        (("all/birds/cat/1.jpg", "all/birds/dog/1.jpg"), "all/birds", {"cat/1.jpg": "cat"}),
    ],
)
def test_the_label_is_the_class_folder(tmp_path, names, root, labels):
    touch(tmp_path, *names)
    found = class_root(tmp_path)
    assert root is None or found == tmp_path / root
    rows = parse_rows(found, dtype=str, keep_default_na=False)
    assert labels.items() <= dict(zip(rows["file"], rows["label"], strict=True)).items()
    assert len(rows) == len([n for n in names if not n.startswith("test/")])


def test_what_is_no_image_of_a_class_is_no_row(tmp_path):
    touch(tmp_path, "cat/1.jpg", "dog/1.jpg", "stray.jpg", "cat/Thumbs.db", "notes.txt")
    touch(tmp_path, "cat/.ipynb_checkpoints/1.jpg", "__MACOSX/cat/1.jpg")
    rows = read_rows(tmp_path)
    assert rows["file"].tolist() == ["cat/1.jpg", "dog/1.jpg", "stray.jpg"]
    assert rows["label"].isna().tolist() == [False, False, True]


def test_a_folder_without_images_says_what_it_contains(tmp_path):
    touch(tmp_path, "cat/1.heic", "notes.txt")
    with pytest.raises(DataError, match=r"contains no image.*its files end in \.heic, \.txt"):
        image_rows(tmp_path)
    touch(tmp_path, "a/1.jpg")
    assert class_root(tmp_path) is None  # one class only
