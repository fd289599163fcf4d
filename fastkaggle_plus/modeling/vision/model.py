"""Networks that look at images: fastai's fine-tuning of a timm architecture, on pixels that are decoded once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...data import Table
from ...exceptions import ConfigError, DataError, MissingExtra, UnknownName, UnreadableImage
from ...reading.pixels import METHODS, resized
from ..hyperparameters import check_range, check_whole
from ..model import Array, Model
from ..precision import known_precision
from ..tabular.model import repeatable
from . import tta as views
from .archs import resolve_arch
from .augment import Augment
from .batches import Examples
from .image_size import as_size, check_batches
from .sizes import check_size
from .targets import Targets
from .training import Recipe, learn_net, predict_net

PRELOAD = ("torch", "torchvision", "timm", "fastai.vision.all")


def vision_model(
    arch: str = "resnet26d",  # a timm or torchvision name, old ones included: see resolve_arch
    item: int
    | Sequence[int] = 192,  # size in pixels at which images are kept: a square, or (height, width)
    batch: int
    | Sequence[
        int
    ] = 128,  # size in pixels that the network sees: each view is cut from the kept image
    *,
    method: str = "crop",  # how images come to the size of `item`: crop | squish | pad
    epochs: int = 5,  # of the whole network
    freeze_epochs: int = 1,  # of the head alone, before that
    lr: float = 0.01,  # largest learning rate of the head, while frozen
    bs: int = 64,  # images an optimizer step
    accum: int = 1,  # batches a step: memory for bs // accum images is enough
    wd: float = 0.01,  # weight decay
    min_scale: float = 0.75,  # smallest share of the area that a random crop keeps
    flip_vert: bool = False,  # whether images may be turned upside down
    mult: float = 1.0,  # strength of turning, warping, zooming and lighting
    tta: str = "auto",  # plain: the whole image alone | mean | max | beta: with random views | auto: beta where a paired test says so
    n_tta: int = 4,  # random views an image
    also: str
    | Sequence[
        str
    ] = (),  # columns that only training rows have, to be learned too: as in Part 4 of Road to the Top
    pretrained: bool = True,
    precision: str = "auto",  # auto | fp32 | bf16 | fp16
    seed: int = 42,
) -> Model:
    """Return fastai's fine-tuning of a pretrained network, with its probabilities averaged over random views where a paired test finds that this helps.

    Rows whose image cannot be read are not learned from, and are answered with the share of each class. Out of memory is met once with half the
    batch, accumulated to the same step. Raises UnknownName, ConfigError for numbers that cannot be and a size the network cannot take,
    WeightsMissing, MissingExtra, and DataError for a table without images. Source: fast.ai, Road to the Top, parts 1 to 4.
    """
    if method not in METHODS:
        raise UnknownName("resize method", method, METHODS)
    if tta not in ("auto", *views.MIXES):
        raise UnknownName("way of mixing (tta)", tta, ("auto", *views.MIXES))
    known_precision(precision)
    check_whole(0, epochs=epochs, freeze_epochs=freeze_epochs, n_tta=n_tta, seed=seed)
    check_range(0, lr=lr, wd=wd, mult=mult)
    check_range(0.01, 1, min_scale=min_scale)
    check_batches(bs, accum)
    if n_tta == 0 and tta not in ("auto", "plain"):
        raise ConfigError(
            f'tta = {tta!r} mixes random views, and n_tta = {n_tta} of them came. Give their number, or tta = "plain".'
        )
    wanted = (also,) if isinstance(also, str) else tuple(also)
    found = _resolved(arch)
    kept, seen = as_size(item), as_size(batch)
    check_size(found, seen, pretrained=pretrained)  # before any image is read
    augment = Augment(seen, found.mean, found.std, min_scale, flip_vert, mult)
    recipe = Recipe(
        found, seen, pretrained, epochs, freeze_epochs, float(lr), bs, accum, float(wd), precision
    )

    def fit(table: Table) -> FittedNet:
        if tta == "max" and not table.vocab:
            raise ConfigError(
                "tta = 'max' takes the largest probability of several views, and targets came that are values. Take mean or beta."
            )
        pixels, rows, readable = _pixels(table, kept, method)
        if not len(rows):
            raise DataError(
                f"None of the {len(table)} images to learn from can be read. `check_images(path)` names each file and why."
            )
        targets = Targets(table, wanted)
        with repeatable(seed, threads=None):
            net, notes = learn_net(
                recipe, Examples(pixels, rows, targets.take(readable)), targets, augment
            )
        return FittedNet(
            net,
            targets,
            Sight(kept, method, augment, max(1, 2 * bs // accum), precision),
            n_tta if tta != "plain" else 0,
            seed,
            notes,
        )

    about = {
        "arch": found.full_name,
        "weights": found.weights if pretrained else "none",
        "item_px": list(kept),
        "batch_px": list(seen),
        "method": method,
        "epochs": epochs,
        "freeze_epochs": freeze_epochs,
        "lr": lr,
        "bs": bs,
        "accum": accum,
        "wd": wd,
        "min_scale": min_scale,
        "flip_vert": flip_vert,
        "mult": mult,
        "tta": tta,
        "n_tta": n_tta,
        "also": list(wanted),
        "precision": precision,
        "seed": seed,
    }
    return Model(
        f"{found.name} {method}", fit, about, choose=lambda variants: views.choose(variants, tta)
    )


@dataclass(frozen=True)
class Sight:
    "How a network sees images, in training and after."

    kept: tuple[int, int]  # (height, width) in pixels at which images are kept
    method: str
    augment: Augment
    bs: int  # images at once when it answers: more than when it learns, as no gradients are kept
    precision: str


class FittedNet:
    "A trained network."

    def __init__(
        self,
        net: Any,
        targets: Targets,
        sight: Sight,
        n_views: int,
        seed: int,
        notes: dict[str, Any],
    ):
        self.importances: dict[str, float] = {}
        self.estimator, self.targets, self.sight, self.n_views, self.seed, self.notes = (
            net,
            targets,
            sight,
            n_views,
            seed,
            notes,
        )

    def predict(self, table: Table) -> Array:
        "Return (n, n_outputs) predictions of the whole images, without random views."
        return self._mixed(table, 0)["plain"]

    def variants(self, table: Table) -> dict[str, Array]:
        "Return the predictions by each way of mixing the random views."
        return self._mixed(table, self.n_views)

    def _mixed(self, table: Table, n_views: int) -> dict[str, Array]:
        sight, targets = self.sight, self.targets
        pixels, rows, readable = _pixels(table, sight.kept, sight.method)

        def seen(view: Any) -> Array:
            return predict_net(
                self.estimator, pixels, rows, view=view, bs=sight.bs, precision=sight.precision
            )

        def of_all(preds: Array) -> Array:
            "Rows without a readable image get what is known without looking."
            out = np.tile(targets.prior, (len(table), 1))
            out[readable] = preds
            return out

        def mixed(plain: Array, random: list[Array]) -> dict[str, Array]:
            return {
                name: of_all(preds)
                for name, preds in views.mix(plain, random, classes=bool(table.vocab)).items()
            }

        if not len(rows):
            return mixed(nothing := np.empty((0, targets.n_main)), [nothing] * n_views)
        with repeatable(self.seed + 1, threads=None):
            plain = seen(sight.augment.plain)
            random = [targets.decode(seen(sight.augment.random)) for _ in range(n_views)]
        self.notes.update(targets.scores_also(plain, table, readable))
        return mixed(targets.decode(plain), random)


def _pixels(table: Table, size: tuple[int, int], method: str) -> tuple[Array, Array, Array]:
    "Return the kept pixels of the table's part, the places there of the rows whose image is readable, and which rows these are."
    if table.images is None:
        raise DataError(
            'This table has no images. Read the data with kind = "images", or give Table.images.'
        )
    pixels = resized(table.images, size, method=method)
    readable = pixels.ok[table.images.rows]
    return pixels.array, table.images.rows[readable], readable


def augmented(
    table: Table,
    rows: Sequence[int],  # positions of images in the table
    n_views: int = 6,  # of each
    *,
    item: int | Sequence[int] = 192,  # as in vision_model, and the following
    batch: int | Sequence[int] = 128,
    method: str = "crop",
    min_scale: float = 0.75,
    flip_vert: bool = False,
    mult: float = 1.0,
    seed: int = 42,
) -> Array:
    """Return what a network sees of some images: (n_rows, 1 + n_views, height, width, 3) bytes, the whole image first, then random views.

    Raises UnknownName, ConfigError for numbers that cannot be, DataError for rows that are not there and a table without images, and UnreadableImage.
    """
    import torch

    check_whole(0, n_views=n_views, seed=seed)
    check_range(0.01, 1, min_scale=min_scale)
    if not len(rows) or not all(-len(table) <= row < len(table) for row in rows):
        raise DataError(
            f"rows are positions in a table of {len(table)} rows, and {list(rows)} came."
        )
    taken, kept = table.take(np.asarray(rows)), as_size(item)
    pixels, places, readable = _pixels(taken, kept, method)
    if not readable.all():
        at = int(np.argmin(readable))
        file = list(taken.images or ())[at]
        raise UnreadableImage(
            file or f"The image of row {rows[at]}",
            resized(taken.images or (), kept, method=method).problems.get(file, "it is not there"),
        )
    augment, images = (
        Augment(as_size(batch), (0.0,) * 3, (1.0,) * 3, min_scale, flip_vert, mult),
        torch.from_numpy(pixels[places]),
    )
    with repeatable(seed):
        seen = [augment.plain(images), *(augment.random(images) for _ in range(n_views))]
    shown: Array = (torch.stack(seen, 1) * 255).round().byte().permute(0, 1, 3, 4, 2).numpy()
    return shown


def _resolved(arch: str) -> Any:
    try:
        return resolve_arch(arch)
    except ModuleNotFoundError as e:
        raise MissingExtra(e.name or "timm", "vision") from e
