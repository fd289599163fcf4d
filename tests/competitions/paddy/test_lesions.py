"""Each disease has its place and shape on a clean blade."""

import numpy as np
import pytest
from scipy.ndimage import label

HALF, LONG, PX = 0.14, 1.3, 200  # half width and length of the blade, pixels in a unit
SEEDS = range(12)


@pytest.fixture(scope="module")
def lesions(comp):
    return comp.module("lesions")


def change(lesions, what, severity=0.9, *, seed=0, is_heart=True):
    """Paint a disease on a green blade; return the change of each pixel and channel, tip first."""
    across, along = np.meshgrid(np.arange(-HALF, HALF, 1 / PX), np.arange(0, LONG, 1 / PX))
    rgb = np.tile(np.array((70, 140, 60), dtype="f4"), (across.size, 1))
    blade = lesions.Blade(
        along.ravel(),
        across.ravel(),
        across.ravel() / HALF,
        rgb,
        half_width=HALF,
        length=LONG,
        is_heart=is_heart,
    )
    lesions.DISEASES[what](blade, severity, np.random.default_rng([9, seed]))
    return (blade.rgb - (70, 140, 60)).reshape(*across.shape, 3)


def touched(lesions, what, severity=0.9, *, seed=0):
    return np.abs(change(lesions, what, severity, seed=seed)).sum(2) > 60


def spots(lesions, what, seed=0):
    """Number of separate lesions, and how long the mean one is for its width."""
    found, n = label(touched(lesions, what, seed=seed))
    places = [np.nonzero(found == i) for i in range(1, n + 1)]
    return n, np.mean([(np.ptp(y) + 1) / (np.ptp(x) + 1) for y, x in places])


def test_a_normal_blade_has_nothing_and_mild_cases_little(lesions, rehearsal):
    assert set(lesions.DISEASES) == set(rehearsal.CLASSES)
    assert not change(lesions, "normal").any()
    for what in set(lesions.DISEASES) - {"normal"}:
        mild, severe = (
            np.mean([np.abs(change(lesions, what, severity, seed=s)).mean() for s in SEEDS])
            for severity in (0.05, 0.95)
        )
        assert 0 < mild < 0.4 * severe, what


def test_blight_dries_the_margins_and_tungro_the_tip(lesions):
    blight = np.mean(
        [touched(lesions, "bacterial_leaf_blight", 0.6, seed=s) for s in SEEDS], axis=0
    )
    middle, n = blight.shape[1] // 2, len(blight)
    assert (
        blight[:, [0, -1]].mean() > 3 * blight[:, middle - 3 : middle + 3].mean()
        and blight[: n // 3].mean() > 2 * blight[-n // 3 :].mean()
    )
    tungro = np.mean([np.abs(change(lesions, "tungro", 0.6, seed=s)).sum(2) for s in SEEDS], axis=0)
    tip, _, base = np.array_split(tungro.mean(1), 3)
    assert (
        tip.mean() > 4 * base.mean()
        and np.abs(tungro[:, 0].mean() / tungro[:, middle].mean() - 1) < 0.2
    )


def test_a_dead_heart_is_only_the_youngest_blade(lesions):
    assert (np.abs(change(lesions, "dead_heart")).sum(2) > 60).mean() > 0.8
    assert not change(lesions, "dead_heart", is_heart=False).any()


def test_spots_are_round_spindles_longer_and_streaks_thin(lesions):
    shape = {
        what: np.mean([spots(lesions, what, s) for s in SEEDS], axis=0)
        for what in ("brown_spot", "blast", "bacterial_leaf_streak", "hispa")
    }
    assert shape["brown_spot"][0] > 2 * shape["blast"][0]
    assert shape["brown_spot"][1] < 1.6 < shape["blast"][1] < shape["bacterial_leaf_streak"][1]
    assert shape["hispa"][1] > 1.6


def test_hispa_pales_and_streaks_redden(lesions):
    hispa, streak = (
        np.mean(
            [change(lesions, what, seed=s)[touched(lesions, what, seed=s)].mean(0) for s in SEEDS],
            axis=0,
        )
        for what in ("hispa", "bacterial_leaf_streak")
    )
    assert hispa.min() > 60  # every channel rises: pale
    assert streak[0] > 40 and streak[1] < 10 and streak[2] < 10  # red alone rises: orange


def test_blast_has_a_dark_rim_around_a_pale_centre(lesions):
    for s in SEEDS:
        green = change(lesions, "blast", 1.0, seed=s)[..., 1]
        assert (green < -40).sum() > 30 and (green > 15).sum() > 10


def test_blotches_are_few_large_and_dark_and_mildew_is_pale(lesions):
    blotches = np.mean([spots(lesions, "bacterial_panicle_blight", s)[0] for s in SEEDS])
    assert blotches < 5
    blotch, mildew = (
        np.mean(
            [change(lesions, what, seed=s)[touched(lesions, what, seed=s)].mean(0) for s in SEEDS],
            axis=0,
        )
        for what in ("bacterial_panicle_blight", "downy_mildew")
    )
    assert blotch[1] < -20 and mildew.min() > 30
