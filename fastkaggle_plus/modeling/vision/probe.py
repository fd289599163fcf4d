"""probe_model: a linear head on the features of a frozen pretrained network."""

from collections.abc import Sequence

import numpy as np

from ...data import Table
from ...exceptions import UnknownName, needs_extra
from ...reading.pixels import METHODS
from ..frozen_head import fit_head
from ..model import Array, FittedFunction, Model
from .archs import resolve_arch
from .features import check_readable, frozen_features, images_of
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

    def features(table: Table) -> tuple[Array, Array]:
        """Return the features of the rows with a readable image, and which rows those are."""
        images = images_of(table)
        all_features, ok = frozen_features(found, images, size_px, method=method, flip=flip)
        readable = ok[images.rows]
        return all_features[images.rows[readable]], readable

    def fit(table: Table) -> FittedFunction:
        x, readable = features(table)
        check_readable(readable)
        head, prior = fit_head(x, table.take(np.flatnonzero(readable))), Targets(table).prior

        def predict(rows: Table) -> Array:
            x, readable = features(rows)
            preds = np.tile(prior, (len(rows), 1)).astype(float)
            preds[readable] = head.predict(x)
            return preds

        notes = {"penalty": head.penalty, "weights_from": fetch_weights(found).origin}
        return FittedFunction(predict, estimator=head, notes=notes)

    about = {
        "arch": found.full_name,
        "weights": found.weights,
        "size_px": list(size_px),
        "method": method,
        "flip": flip,
    }
    return Model(f"probe {found.name}", fit, about)
