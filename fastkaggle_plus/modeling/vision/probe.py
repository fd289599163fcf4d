"""probe_model: a linear head on the features of a frozen pretrained network."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...data import Table
from ...exceptions import UnknownName, needs_extra
from ...reading.pixels import METHODS
from ..frozen_head import Head, fit_head
from ..model import Array, FittedFunction, Model
from .archs import resolve_arch
from .features import FrozenNet, check_readable
from .image_size import as_size, check_size
from .targets import Targets

PRELOAD = ("torch", "torchvision", "timm", "sklearn.linear_model")

_SMALL = "convnext_nano.in12k_ft_in1k"  # downloaded if no pretrained weights are on the machine


def probe_model(
    arch: str = "",  # a timm or torchvision name; default: the best one on this machine
    size: int | Sequence[int] | None = None,  # px of the network's input; default: its own size
    *,
    method: str = "squish",  # how images are resized: crop | squish | pad
    flip: bool = True,  # average the features of the image and of its mirror
) -> Model:
    """Return logistic or ridge regression on the features of a frozen pretrained network.

    The features are taken once per image: all folds, trials and sweeps share them. The penalty is
    chosen inside the rows fitted on, see `fit_head`. Rows without a readable image get the share of
    each class, or the mean. Raises UnknownName, WeightsMissing, MissingExtra, ConfigError for a
    size the network cannot take, and DataError for a table without images.
    """
    if method not in METHODS:
        raise UnknownName("resize method", method, METHODS)
    with needs_extra("vision"):
        from .weights import fetch_weights, local_archs

        found = resolve_arch(arch or next(iter(local_archs()), _SMALL))
    size_px = found.input_px if size is None else as_size(size)
    check_size(found, size_px)

    features = FrozenNet(found, size_px, method, flip)

    def fit(table: Table) -> FittedFunction:
        x, readable = features(table)
        check_readable(readable)
        head, prior = fit_head(x, table.take(np.flatnonzero(readable))), Targets(table).prior
        notes = {"penalty": head.penalty, "weights_from": fetch_weights(found).origin}
        return FittedFunction(ImageProbe(features, head, prior), estimator=head, notes=notes)

    about = {
        "arch": found.full_name,
        "weights": found.weights,
        "size_px": list(size_px),
        "method": method,
        "flip": flip,
    }
    return Model(f"probe {found.name}", fit, about)


@dataclass
class ImageProbe:
    """A frozen network and its linear head: predicts tables."""

    features: FrozenNet
    head: Head
    prior: Array  # the prediction without a readable image

    def __call__(self, rows: Table) -> Array:
        """Return (n, n_outputs) predictions."""
        x, readable = self.features(rows)
        preds = np.tile(self.prior, (len(rows), 1)).astype(float)
        preds[readable] = self.head.predict(x)
        return preds
