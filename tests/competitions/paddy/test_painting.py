"""The pictures show the class by texture and place, and the variety by colour and shape."""

from itertools import pairwise

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


def accuracy(features, labels, weight=0.03):
    model = make_pipeline(StandardScaler(), LogisticRegression(C=weight, max_iter=300))
    return cross_val_score(model, np.array(features), labels, cv=KFold(4)).mean()


def colours(picture):
    return (
        np.histogramdd(picture.reshape(-1, 3), (5, 5, 5), [(0, 256)] * 3)[0].ravel()
        / picture[..., 0].size
    )


def texture(picture):
    """Return texture features: quantiles of differences of Gaussians, by colour and size."""
    red, green, blue = np.moveaxis(picture.astype("f4") / 255, -1, 0)
    channels = ((red + green + blue) / 3, red - green, (red + green) / 2 - blue)
    found = []
    for channel in channels:
        levels = [gaussian_filter(channel, s) for s in (0.7, 1.4, 2.8, 5.6)]
        found += [np.quantile(a - b, (0.01, 0.05, 0.95, 0.99)) for a, b in pairwise(levels)]
    return np.concatenate(found)


def greens(picture):
    """Hues and saturations of what is green."""
    hue, saturation, _ = np.moveaxis(np.asarray(Image.fromarray(picture).convert("HSV")), -1, 0)
    return (
        np.histogram2d(hue.ravel(), saturation.ravel(), (24, 6), [(30, 126), (40, 255)])[0].ravel()
        / hue.size
    )


def test_texture_predicts_the_class_better_than_colour(painted):
    rows, pictures = painted
    by_colour, by_texture = (
        accuracy([colours(p) for p in pictures], rows["label"]),
        accuracy([texture(p) for p in pictures], rows["label"]),
    )
    majority = rows["label"].value_counts(normalize=True).iloc[0]
    assert majority + 0.05 < by_colour < 0.45
    assert by_colour + 0.15 < by_texture < 0.9


def test_the_variety_can_be_predicted(painted):
    rows, pictures = painted
    majority = rows["variety"].value_counts(normalize=True).iloc[0]
    assert accuracy([greens(p) for p in pictures], rows["variety"]) > majority + 0.1


def test_the_same_picture_at_another_size_shows_the_same(painting):
    small, large = (
        painting.paint("tungro", "Ponni", np.random.default_rng(1), height_px=h, width_px=w).resize(
            (12, 16)
        )
        for h, w in ((192, 144), (640, 480))
    )
    assert small.size == large.size and np.corrcoef(np.ravel(small), np.ravel(large))[0, 1] > 0.9
