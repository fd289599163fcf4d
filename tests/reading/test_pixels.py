"""Resized images: like fastai, decoded once, and again only if a file or the entry has changed."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from fastkaggle_plus.data import ImageFiles
from fastkaggle_plus.exceptions import DataError, UnknownName
from fastkaggle_plus.reading.pixels import resized

from .pictures import BROKEN, ODD, broken_file, odd_file, save, smooth

SHAPES = {"portrait": (640, 480), "landscape": (480, 640), "square": (300, 300), "small": (70, 50)}


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("FKP_HOME", str(tmp_path / "home"))


def make(folder, n=4):
    return [str(save(folder / f"{i}.png", smooth(30, 20, phase=i))) for i in range(n)]


@pytest.mark.parametrize("method", ["crop", "squish", "pad"])
@pytest.mark.parametrize("size", [128, (96, 64), (100, 160)])
def test_images_are_resized_like_a_validation_set_of_fastai(tmp_path, method, size):
    from fastai.vision.augment import PadMode, Resize
    from fastai.vision.core import PILImage

    files = [
        save(tmp_path / f"{name}.{suffix}", smooth(*shape))
        for name, shape in SHAPES.items()
        for suffix in ("jpg", "png")
    ]
    pixels = resized(files, size, method=method)
    theirs = Resize(size, method=method, pad_mode=PadMode.Zeros)
    for file, ours in zip(files, pixels.array, strict=True):
        wanted = np.asarray(theirs(PILImage.create(file), split_idx=1)).astype(int)
        assert wanted.shape == ours.shape
        assert np.abs(wanted - ours).mean() < 1.2, (
            f"{file.name}: {np.abs(wanted - ours).mean():.2f}"
        )
    assert pixels.ok.all() and not pixels.problems


def test_details_finer_than_a_pixel_become_grey(tmp_path):
    board = np.indices((512, 512)).sum(0) % 2 * 255
    for suffix in ("png", "jpg"):
        [ours] = resized(
            [save(tmp_path / f"board.{suffix}", np.stack([board] * 3, -1).astype(np.uint8))], 64
        ).array
        assert np.abs(ours.astype(int) - 127).max() < 12


def test_unreadable_files_are_black_and_listed(tmp_path):
    good, (bad, missing) = (
        make(tmp_path, 2),
        (broken_file(tmp_path, "truncated"), tmp_path / "gone.jpg"),
    )
    images = ImageFiles((good[0], str(bad), "", str(missing), good[1]), np.array([4, 4, 2]))
    pixels = resized(images, 16)
    assert (
        pixels.array.shape == (5, 16, 16, 3)
        and pixels.array.dtype == np.uint8
        and isinstance(pixels.array, np.memmap)
    )
    assert pixels.ok.tolist() == [True, False, False, False, True]
    assert [bool(p.any()) for p in pixels.array] == pixels.ok.tolist()
    assert (
        set(pixels.problems) == {str(bad), str(missing)}
        and "truncated" in pixels.problems[str(bad)].lower()
    )
    assert pixels.problems[str(missing)] == "it is not there"
    again = resized(images, 16)
    assert again.problems == pixels.problems and (again.ok == pixels.ok).all()
    with pytest.raises(ValueError):
        pixels.array[0] = 1


def test_unusual_files_are_read_and_broken_ones_are_skipped(tmp_path):
    files = [odd_file(tmp_path, what, height=60, width=60) for what in ODD] + [
        broken_file(tmp_path, what) for what in BROKEN
    ]
    pixels = resized(files, 24)
    assert pixels.ok.tolist() == [True] * len(ODD) + [False] * len(BROKEN) and set(
        pixels.problems
    ) == {str(f) for f in files[len(ODD) :]}
    wanted = np.asarray(
        Image.fromarray(smooth(60, 60)).resize((24, 24), Image.Resampling.BILINEAR)
    ).astype(int)
    for file, ours in zip(files[: len(ODD)], pixels.array, strict=False):
        fair = (
            np.asarray(Image.fromarray(wanted.astype(np.uint8)).convert("L")).astype(int)[..., None]
            if "grey" in file.name
            else wanted
        )
        assert np.abs(fair - ours).mean() < 5, file.name


def test_files_are_read_again_only_when_they_changed(tmp_path):
    files = make(tmp_path)
    first = resized(files, 16).array.copy()
    before = os.stat(files[1])
    other = save(tmp_path / "other" / "1.png", 255 - smooth(30, 20, phase=1)).read_bytes()[
        : before.st_size
    ]
    with open(files[1], "wb") as f:  # other bytes with the same size and time
        f.write(other.ljust(before.st_size, b"\0"))
    os.utime(files[1], ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (resized(files, 16).array == first).all()
    os.utime(files[1], ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    changed = resized(files, 16).array
    assert (changed[[0, 2, 3]] == first[[0, 2, 3]]).all() and (changed[1] != first[1]).any()
    assert (resized(files, 16, method="squish").array != changed).any() and resized(
        files, (16, 8)
    ).array.shape == (4, 16, 8, 3)


def test_two_paths_of_one_folder_share_an_entry(tmp_path, monkeypatch):
    files = make(tmp_path / "real")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    resized(files, 16)
    monkeypatch.chdir(tmp_path)
    resized([f"link/{i}.png" for i in range(4)], 16)
    assert len(list((tmp_path / "home/cache/pixels").glob("*.npy"))) == 1


@pytest.mark.parametrize("damage", ["cut", "flipped", "gone", "note"])
def test_a_damaged_entry_is_made_again(tmp_path, damage):
    files, kept = make(tmp_path), tmp_path / "kept"
    first = resized(files, 64, folder=kept).array.copy()
    [entry], [note] = kept.glob("*.npy"), kept.glob("*.json")
    content = entry.read_bytes()
    if damage == "cut":
        entry.write_bytes(content[:-100])
    elif damage == "flipped":
        entry.write_bytes(content[:5000] + bytes([content[5000] ^ 255]) + content[5001:])
    elif damage == "gone":
        entry.unlink()
    else:
        note.write_text("{")
    assert (resized(files, 64, folder=kept).array == first).all()
    assert entry.read_bytes() == content and json.loads(note.read_text())["bytes"] == len(content)


def test_a_killed_build_leaves_no_entry(tmp_path):
    files, gate = make(tmp_path), tmp_path / "gate.png"
    os.mkfifo(gate)  # a pipe: the build waits here
    code = (
        f"from fastkaggle_plus.reading.pixels import resized; resized({[*files, str(gate)]!r}, 16)"
    )
    kept = tmp_path / "home/cache/pixels"
    with subprocess.Popen([sys.executable, "-c", code]) as build:
        while not list(kept.glob("*.part")):
            assert build.poll() is None
            time.sleep(0.02)
        build.send_signal(signal.SIGKILL)
    assert not list(kept.glob("*.json")) and not list(kept.glob("*.npy"))
    gate.unlink()
    save(gate, smooth(30, 20))
    pixels = resized([*files, gate], 16)
    assert pixels.ok.all() and pixels.array[-1].any()
    assert not list(kept.glob("*.part")) and len(list(kept.glob("*.npy"))) == 1


def test_wrong_methods_and_sizes_are_refused(tmp_path):
    with pytest.raises(
        UnknownName, match=r"Unknown resize method 'squash'\. Did you mean 'squish'"
    ):
        resized([], 8, method="squash")
    for size in (0, (8, -1), (8, 8, 8), 1.5):
        with pytest.raises(DataError, match="An image size is one number or"):
            resized([], size)
    assert resized([], 8).array.shape == (0, 8, 8, 3) and resized([], [8, 4]).array.shape == (
        0,
        8,
        4,
        3,
    )
