"""Checks of an image folder: broken files may be moved, and are never deleted or overwritten."""

import pytest

from fastkaggle_plus import check_images, image_sizes
from fastkaggle_plus.exceptions import DataError

from .pictures import BROKEN, ODD, broken_file, odd_file, save, smooth, turned

NOTES = {
    "grey.png": "grey",
    "grey.jpg": "grey",
    "transparent.png": "transparent",
    "palette.png": "palette, transparent",
    "cmyk.jpg": "CMYK",
    "grey16.png": "grey, 16 bits",
    "turned.jpg": "turned by EXIF (6)",
    "animated.gif": "palette, several frames",
}


def make(folder):
    for i in range(3):
        save(folder / "good" / f"{i}.jpg", smooth(20, 30 + i))
    for what in ODD:
        odd_file(folder / "odd", what)
    for what in BROKEN:
        broken_file(folder / "deep/er", what)
    (folder / "notes.txt").write_text("no image, and none of our business")
    return folder


def contents(folder):
    return {
        f.relative_to(folder).as_posix(): f.read_bytes() for f in folder.rglob("*") if f.is_file()
    }


def test_exactly_the_broken_and_unusual_files_are_listed(tmp_path):
    before = contents(make(tmp_path))
    report = check_images(tmp_path).set_index("file")
    assert set(report.index) == {f"odd/{n}" for n in NOTES} | {
        f"deep/er/{what}.jpg" for what in BROKEN
    }
    assert {f.removeprefix("odd/"): note for f, note in report["note"].items() if note} == NOTES
    broken = report[report["problem"] != ""]
    assert {f.removeprefix("deep/er/").removesuffix(".jpg") for f in broken.index} == set(BROKEN)
    assert (
        broken.loc["deep/er/empty.jpg", "problem"] == "it is empty"
        and (report["moved_to"] == "").all()
    )
    assert contents(tmp_path) == before


def test_broken_files_keep_their_folders_and_nothing_is_lost(tmp_path):
    before = contents(make(tmp_path / "images"))
    bad = tmp_path / "bad"
    save(bad / "deep/er/empty.jpg", smooth(8, 8))
    taken = contents(bad)["deep/er/empty.jpg"]
    report = check_images(tmp_path / "images", move_to=bad)
    moved = report[report["moved_to"] != ""].set_index("file")["moved_to"]
    assert set(moved.index) == {f"deep/er/{what}.jpg" for what in BROKEN} and moved[
        "deep/er/empty.jpg"
    ] == str(bad / "deep/er/empty-1.jpg")
    after, there = contents(tmp_path / "images"), contents(bad)
    assert {f: before[f] for f in after} == after and set(before) - set(after) == set(moved.index)
    assert there.pop("deep/er/empty.jpg") == taken and there["deep/er/empty-1.jpg"] == b""
    assert sorted(there.values()) == sorted(before[f] for f in moved.index)
    assert not check_images(tmp_path / "images", move_to=bad)["problem"].any()


def test_broken_files_cannot_move_into_the_checked_folder(tmp_path):
    make(tmp_path)
    for inside in (tmp_path, tmp_path / "deep", tmp_path / "deep" / ".." / "new"):
        with pytest.raises(DataError, match=r"move_to = .* is inside .* Give a folder outside"):
            check_images(tmp_path, move_to=inside)
    assert not (tmp_path / "new").exists()


def test_sizes_are_as_shown_and_read_from_headers(tmp_path):
    save(tmp_path / "a" / "flat.png", smooth(20, 30))
    turned(tmp_path / "b" / "turned.jpg", 6, height=24, width=36)
    turned(tmp_path / "b" / "turned.tif", 8, height=24, width=36)
    whole = save(tmp_path / "cut.jpg", smooth(50, 70)).read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[:650])  # the header is whole
    (tmp_path / "text.png").write_bytes(b"text")
    sizes = image_sizes(tmp_path, workers=2).set_index("file")
    assert list(sizes.index) == [
        "a/flat.png",
        "b/turned.jpg",
        "b/turned.tif",
        "cut.jpg",
        "text.png",
    ]
    assert sizes["width_px"].tolist()[:4] == [30, 36, 36, 70] and sizes["height_px"].tolist()[
        :4
    ] == [20, 24, 24, 50]
    assert sizes["width_px"].isna().tolist() == [False] * 4 + [True] and (
        sizes["problem"] != ""
    ).tolist() == [False] * 4 + [True]
    assert sizes.loc["a/flat.png", "mode"] == "RGB"


def test_a_folder_without_images_is_an_error(tmp_path):
    for folder, words in ((tmp_path, "holds no image file"), (tmp_path / "none", "is no folder")):
        for ask in (image_sizes, check_images):
            with pytest.raises(DataError, match=words):
                ask(folder)
