"""Features of a frozen pretrained network, taken once per image and kept on disk."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...data import ImageFiles, Table
from ...exceptions import DataError
from ...reading.array_cache import cached_batches, stamps
from ...reading.pixels import resized
from .. import progress
from ..model import Array
from .archs import Arch
from .image_size import as_size

_ALGORITHM = 1  # raise it when an edit of this code changes the features of an image
_BS = 64  # images per batch
_REPORTED = 256  # images between two reports of progress


@dataclass
class FrozenNet:
    """A frozen network: gives the features of tables."""

    arch: Arch
    size: tuple[int, int]  # (height, width) in pixels of its input
    method: str
    flip: bool
    net: Any = None  # of a kept model; None: it is built from weights on this machine

    def __call__(self, table: Table) -> tuple[Array, Array]:
        """Return the features of the rows with a readable image, and which rows those are."""
        images = images_of(table)
        how: dict[str, Any] = dict(method=self.method, flip=self.flip, net=self.net)
        features, ok = frozen_features(self.arch, images, self.size, **how)
        readable = ok[images.rows]
        return features[images.rows[readable]], readable

    def to_keep(self) -> "FrozenNet":
        """Return it with its network, so that its weights are kept too."""
        from .network import make_feature_net

        return replace(self, net=self.net or make_feature_net(self.arch, size=self.size))


def frozen_features(
    arch: Arch,
    images: ImageFiles,
    size: int | Sequence[int],  # in pixels of the network's input: a square, or (height, width)
    *,
    method: str = "squish",  # how images are resized: crop | squish | pad
    flip: bool = True,  # average the features of the image and of its mirror: two passes
    net: Any = None,  # the network; then nothing is kept on disk
) -> tuple[Array, Array]:
    """Return the features of the files, (n_files, width) float32, and which files are readable.

    Rows of files that are not readable are NaN. The features are what the network's own classifier
    would read. They are kept in FKP_HOME/cache/frozen, and the decoded images in the cache that
    all architectures share. Raises WeightsMissing.
    """
    import timm
    import torch

    from .network import feature_width
    from .precision import predicting_precision
    from .weights import fetch_weights

    size_px = as_size(size)
    pixels = resized(images, size_px, method=method)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    precision = predicting_precision("auto", device, size=size_px)

    def fill(array: Array) -> None:
        whole = _feature_net(arch, size_px, flip, device, net)
        array[~pixels.ok] = np.nan
        _fill_rows(array, whole, arch, pixels.array, np.flatnonzero(pixels.ok), precision)

    width = feature_width(arch, size_px)
    if net is not None:
        fill(features := np.empty((len(images.files), width), np.float32))
        return features, pixels.ok
    features = cached_batches(
        "frozen",
        images.files,
        fill,
        recipe=(
            *(_ALGORITHM, arch.full_name, *stamps([fetch_weights(arch).file])),
            *(size_px, method, flip, device.type, precision, sorted(pixels.problems)),
            *(torch.__version__, timm.__version__),
        ),
        row=(width,),
        dtype="float32",
    )
    return features, pixels.ok


def images_of(table: Table) -> ImageFiles:
    """Return the images of a table. Raises DataError if it has none."""
    if table.images is None:
        raise DataError(
            'This table has no images. Read the data with kind = "images", or set Table.images.'
        )
    return table.images


def check_readable(readable: Array) -> None:
    """Raise DataError unless one of the images to train on is readable."""
    if not readable.any():
        raise DataError(
            f"None of the {len(readable)} training images can be read. "
            "`check_images(path)` names each file and the reason."
        )


def _feature_net(
    arch: Arch, size: tuple[int, int], flip: bool, device: Any, net: Any = None
) -> Any:
    """Return the network, with the mean over each image and its mirror as output."""
    import torch

    from .network import make_feature_net

    class MeanOfMirrored(torch.nn.Module):
        def __init__(self, net: Any) -> None:
            super().__init__()
            self.net = net

        def forward(self, x: Any) -> Any:
            return (self.net(x).float() + self.net(x.flip(3)).float()) / 2

    net = (make_feature_net(arch, size=size) if net is None else net).to(device)
    return MeanOfMirrored(net) if flip else net


def _fill_rows(
    array: Array, net: Any, arch: Arch, pixels: Array, rows: Array, precision: str
) -> None:
    from .augment import Augment
    from .training import predict_net

    view = Augment(pixels.shape[1:3], arch.mean, arch.std).unchanged
    for done in range(0, len(rows), _REPORTED):
        progress.report(done, len(rows), f"image {done}/{len(rows)}")
        part = rows[done : done + _REPORTED]
        array[part] = predict_net(net, pixels, part, view=view, bs=_BS, precision=precision)
