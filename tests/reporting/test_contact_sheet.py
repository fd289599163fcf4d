"""A contact sheet shows every image under its title and is saved to its file."""

import dataclasses

import numpy as np
import pytest
from PIL import Image

from fastkaggle_plus.exceptions import DataError
from fastkaggle_plus.reporting import contact_sheet, show_augs
from tests.modeling.pictures import make_pictures

COLOURS = np.array(
    [(200, 0, 0), (0, 180, 0), (0, 0, 220), (200, 200, 0), (0, 200, 200)], dtype=np.uint8
)
IMAGES = np.broadcast_to(COLOURS[:, None, None], (5, 40, 60, 3))


def test_each_image_is_in_its_place_under_its_title():
    figure = contact_sheet(IMAGES, titles=["a", "b", "c", "d", 5], columns=2)
    shown = [axes for axes in figure.axes if axes.images]
    assert len(figure.axes) == 6 and [axes.get_title() for axes in shown] == [
        "a",
        "b",
        "c",
        "d",
        "5",
    ]
    assert all(
        (axes.images[0].get_array() == image).all()
        for axes, image in zip(shown, IMAGES, strict=True)
    )
    figure.draw_without_rendering()
    boxes = [axes.get_position() for axes in shown]
    assert (
        boxes[0].x0 < boxes[1].x0
        and boxes[0].y0 == pytest.approx(boxes[1].y0)
        and boxes[2].y1 < boxes[0].y0
    )


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_the_file_shows_all_colours(tmp_path, suffix):
    file = tmp_path / "new" / f"sheet.{suffix}"
    contact_sheet(
        IMAGES,
        file=file,
        titles=[f"train_images/brown_spot/{i}.jpg, vertical flip and rotated" for i in range(5)],
    )
    pixels = np.asarray(Image.open(file).convert("RGB")).reshape(-1, 3).astype(int)
    for colour in COLOURS.astype(int):
        assert (np.abs(pixels - colour).max(1) < 12).mean() > 0.02, colour


def test_long_titles_do_not_touch():
    figure = contact_sheet(
        IMAGES,
        titles=["a title of many words that would not fit above one image, " * 2] * 5,
        columns=3,
    )
    figure.draw_without_rendering()
    spans = [axes.title.get_window_extent() for axes in figure.axes if axes.images]
    assert spans[0].x1 < spans[1].x0 and spans[1].x1 < spans[2].x0


def test_a_title_keeps_its_lines():
    figure = contact_sheet(IMAGES[:1], titles=["blast 0.05\nnormal? 0.93"])
    assert figure.axes[0].get_title() == "blast 0.05\nnormal? 0.93"


def test_other_arrays_and_numbers_of_titles_are_refused():
    for wrong in (
        IMAGES[0],
        IMAGES.astype(float),
        IMAGES[..., 0],
        IMAGES[:0],
        IMAGES.transpose(0, 3, 1, 2),
    ):
        with pytest.raises(DataError, match=r"expected images as \(n, height, width, 3\) in uint8"):
            contact_sheet(wrong)
    with pytest.raises(DataError, match="2 titles for 5 images"):
        contact_sheet(IMAGES, titles=["a", "b"])
    with pytest.raises(DataError, match="at least one column"):
        contact_sheet(IMAGES, columns=0)


def test_augmentations_are_shown_with_a_row_for_each_image(tmp_path):
    data = make_pictures(tmp_path / "pictures", n=6, n_test=2)
    figure = show_augs(
        data.train, [0, 3], 3, item=32, batch=24, method="squish", file=tmp_path / "augs.png"
    )
    titles = [axes.get_title() for axes in figure.axes]
    assert (
        titles == ["whole", "view 1", "view 2", "view 3"] * 2
        and (tmp_path / "augs.png").stat().st_size > 1000
    )
    shown = [axes.images[0].get_array() for axes in figure.axes]
    assert shown[0].shape == (24, 24, 3) and not (shown[1] == shown[2]).all()
    with pytest.raises(DataError, match="no images"):
        show_augs(dataclasses.replace(data.train, images=None))
