"""Unusual image files are read correctly; broken ones are refused by name."""

import os
import warnings

import numpy as np
import pytest
from PIL import Image

from fastkaggle_plus.exceptions import DataError, UnreadableImage
from fastkaggle_plus.reading.image_files import open_header, open_image, size_px

from .pictures import BROKEN, ODD, broken_file, odd_file, save, smooth, turned

GREY = ("grey", "grey16", "grey_jpeg")


def difference(image, wanted):
    assert image.mode == "RGB"
    return np.abs(np.asarray(image).astype(int) - wanted).mean()


@pytest.mark.parametrize("what", ODD)
def test_an_unusual_file_is_read_correctly(tmp_path, what):
    wanted = smooth(40, 60)
    if what in GREY:
        wanted = np.stack([np.asarray(Image.fromarray(wanted).convert("L"))] * 3, -1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        image = open_image(odd_file(tmp_path, what))
    assert image.size == (60, 40)
    assert difference(image, wanted) < {
        "palette": 6,
        "animated": 6,
        "cmyk": 3,
        "turned": 3,
        "grey_jpeg": 2,
    }.get(what, 0.01)


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_eight_exif_orientations(tmp_path, orientation, suffix):
    file = turned(tmp_path / f"photo.{suffix}", orientation, height=64, width=96)
    image = open_image(file)
    assert image.size == (96, 64) and difference(image, smooth(64, 96)) < 4
    small = open_image(file, draft_px=(32, 48))
    assert small.size == ((48, 32) if suffix == "jpg" else (96, 64))
    assert (
        difference(
            small.resize((48, 32), Image.Resampling.BOX),
            np.asarray(Image.fromarray(smooth(64, 96)).resize((48, 32), Image.Resampling.BOX)),
        )
        < 4
    )
    with open_header(file) as header:
        assert size_px(header) == (64, 96)


def test_16_bit_grey_is_scaled_over_its_whole_range_in_every_format(tmp_path):
    ramp = np.linspace(0, 65535, 256).astype(np.uint16)[None].repeat(4, 0)
    for name in ("a.png", "a.tif"):
        Image.fromarray(ramp).save(tmp_path / name)
    Image.fromarray(ramp.astype(">u2")).save(tmp_path / "big-endian.tif")
    (tmp_path / "a.pgm").write_bytes(b"P5 256 4 65535\n" + ramp.astype(">u2").tobytes())
    for file in sorted(tmp_path.iterdir()):
        assert (
            np.abs(np.asarray(open_image(file))[0, :, 0].astype(int) - np.arange(256)).max() <= 1
        ), file.name


@pytest.mark.parametrize(
    ("what", "why"),
    [
        ("corrupt", "."),
        ("truncated", "[Tt]runcated"),
        ("empty", "it is empty"),
        ("text", "PIL does not know its format"),
    ],
)
def test_a_broken_file_is_refused_by_name(tmp_path, what, why):
    assert what in BROKEN
    file = broken_file(tmp_path, what)
    with pytest.raises(
        UnreadableImage, match=rf"{what}\.jpg is no readable image: .*{why}.* `check_images`"
    ) as caught:
        open_image(file)
    assert (
        isinstance(caught.value, DataError) and caught.value.file == str(file) and caught.value.why
    )


def test_a_png_cut_short_and_one_with_a_wrong_checksum_are_refused(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (50, 50, 3), dtype=np.uint8)
    whole = save(tmp_path / "a.png", noise).read_bytes()
    damaged = {
        "cut.png": whole[:3000],
        "header.png": whole[:20] + b"\xff" + whole[21:],
        "deflate.png": whole[:60] + bytes(500) + whole[560:],
    }
    for name, content in damaged.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UnreadableImage, match=name):
            open_image(tmp_path / name)


def test_missing_files_folders_floats_and_bombs_are_refused(tmp_path, monkeypatch):
    with pytest.raises(UnreadableImage, match=r"gone\.png is no readable image: it is not there"):
        open_image(tmp_path / "gone.png")
    with pytest.raises(UnreadableImage, match=r"(?i)directory"):
        open_image(tmp_path)
    Image.fromarray(np.zeros((4, 4), dtype=np.float32)).save(tmp_path / "float.tif")
    with pytest.raises(UnreadableImage, match="floating-point numbers"):
        open_image(tmp_path / "float.tif")
    file = save(tmp_path / "large.png", smooth(64, 64))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(UnreadableImage, match="too many pixels to be decoded safely"):
        open_image(file)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_damaged_exif_is_ignored(tmp_path):
    file = turned(tmp_path / "photo.jpg", 6)
    content = file.read_bytes()
    at = content.index(b"Exif\0\0") + 6
    file.write_bytes(content[: at + 8] + b"\xff" * 12 + content[at + 20 :])
    assert open_image(file).size in ((40, 60), (60, 40))


def test_random_damage_gives_an_image_or_a_named_error(tmp_path):
    rng = np.random.default_rng(1)
    for what in ODD:
        whole = bytearray(odd_file(tmp_path, what).read_bytes())
        for i in range(25):
            content = whole.copy()
            for at in rng.integers(0, len(whole), 6):
                content[at] = rng.integers(256)
            (file := tmp_path / f"{what}-{i}").write_bytes(
                bytes(content[: rng.integers(1, len(whole))] if i % 2 else content)
            )
            try:
                assert open_image(file, draft_px=(16, 16)).mode == "RGB"
            except UnreadableImage as e:
                assert e.file == str(file) and e.why


def test_no_file_stays_open(tmp_path):
    good, bad = save(tmp_path / "a.png", smooth(9, 9)), broken_file(tmp_path, "truncated")
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else None
    for _ in range(20):
        open_image(good)
        with pytest.raises(UnreadableImage):
            open_image(bad)
    assert before is None or len(os.listdir("/proc/self/fd")) == before
