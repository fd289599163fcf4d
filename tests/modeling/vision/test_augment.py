"""Random views: their places, their lighting, and the distributions of fastai's aug_transforms."""

import numpy as np
import pytest
import torch

from fastkaggle_plus.modeling.fastai_learner import import_fastai
from fastkaggle_plus.modeling.vision.augment import Augment
from fastkaggle_plus.modeling.vision.batches import Batches, Examples

RAW = dict(mean=(0.0,) * 3, std=(1.0,) * 3)


def places(n=64, size=96):
    """Images whose red is the column and whose green is the row, from 20 to 235."""
    ramp = torch.linspace(20, 235, size)
    image = torch.stack(
        [
            ramp.expand(size, size),
            ramp[:, None].expand(size, size),
            torch.full((size, size), 128.0),
        ],
        -1,
    )
    return image.round().byte()[None].repeat(n, 1, 1, 1)


def test_the_plain_view_is_the_whole_image_normalised():
    pixels = places(2)
    seen = Augment((48, 32), (0.5, 0.4, 0.3), (0.2, 0.3, 0.4)).plain(pixels)
    assert seen.shape == (2, 3, 48, 32) and seen.is_contiguous(memory_format=torch.channels_last)
    back = (
        seen * torch.tensor([0.2, 0.3, 0.4])[:, None, None]
        + torch.tensor([0.5, 0.4, 0.3])[:, None, None]
    )
    assert back[0, 0, :, 0].mean() * 255 == pytest.approx(20 + 215 / 64, abs=2) and back[
        0, 2
    ].mean() * 255 == pytest.approx(128, abs=0.6)


def test_without_any_strength_and_crop_a_view_is_the_image_or_its_mirror():
    torch.manual_seed(0)
    augment = Augment((96, 96), **RAW, min_scale=1.0, mult=0.0)
    pixels = places(64)
    seen, whole = augment.random(pixels) * 255, pixels.permute(0, 3, 1, 2).float()
    is_same = (seen - whole).abs().amax((1, 2, 3)) < 1.5
    is_mirror = (seen - whole.flip(-1)).abs().amax((1, 2, 3)) < 1.5
    assert (is_same | is_mirror).all() and 15 < is_mirror.sum() < 49


def test_crops_keep_the_share_of_the_area_that_was_asked_for():
    torch.manual_seed(0)
    seen = Augment((64, 64), **RAW, min_scale=0.25, mult=0.0).random(places(256)) * 255
    width = (seen[:, 0].amax((1, 2)) - seen[:, 0].amin((1, 2))) / 215
    share = (width**2).numpy()
    assert (
        share.min() > 0.2 and share.max() > 0.9 and 0.5 < share.mean() < 0.72
    )  # uniform from 0.25 to 1


def test_rotations_and_lighting_are_distributed_as_in_fastai():
    torch.manual_seed(0)
    fastai, pixels = import_fastai("vision"), places(320)
    ours = Augment((96, 96), **RAW, min_scale=1.0).random(pixels)
    pipe = fastai.Pipeline(fastai.aug_transforms(), split_idx=0)
    theirs = pipe(fastai.TensorImage(pixels.permute(0, 3, 1, 2).float() / 255))

    def slant(views):  # how much the green ramp leans along a row: the turn, the warp
        middle = torch.as_tensor(views)[:, 1, 32:64, 24:72]
        return (middle[..., -1] - middle[..., 0]).mean(1).numpy()

    for stat in (np.std, lambda v: np.quantile(v, 0.95), lambda v: np.quantile(v, 0.05)):
        assert stat(slant(ours)) == pytest.approx(stat(slant(theirs)), rel=0.25, abs=0.02)
    lit, lit_there = (
        torch.as_tensor(views)[:, 2].mean((1, 2)) for views in (ours, theirs)
    )  # the grey channel is only lit
    assert float(lit.mean()) == pytest.approx(float(lit_there.mean()), abs=0.03)
    assert float(lit.std()) == pytest.approx(float(lit_there.std()), rel=0.2)


def test_upside_down_is_drawn_only_with_flip_vert():
    torch.manual_seed(0)
    first, last = (lambda v: v[:, 1, 0].mean(-1)), (lambda v: v[:, 1, -1].mean(-1))
    upright, flipped = (
        Augment((96, 96), **RAW, min_scale=1.0, mult=0.0, flip_vert=flip).random(places(64))
        for flip in (False, True)
    )
    assert (first(upright) < last(upright)).all()
    assert 8 < (first(flipped) > last(flipped) + 0.1).sum() < 56


def test_batches_cover_the_rows_once_an_epoch_and_carry_their_targets():
    pixels = places(10).numpy().copy()
    pixels[:, :, :, 2] = np.arange(10)[:, None, None] * 25
    batches = Batches(
        Examples(pixels, np.array([1, 3, 5, 7, 9]), [np.arange(5), np.arange(5)[:, None] * 10]),
        Augment((16, 16), **RAW, min_scale=1.0, mult=0.0),
        bs=2,
        device=torch.device("cpu"),
    )
    seen = [
        (int((x[i, 2].mean() * 255 / 25).round()), int(y[i]), int(z[i]))
        for x, y, z in batches
        for i in range(len(x))
    ]
    assert len(batches) == 2 and len({s[0] for s in seen}) == 4  # the fifth is left over
    assert all(row == 2 * y + 1 and z == 10 * y for row, y, z in seen)
