"""vision_model: fine-tune a pretrained image network with fastai, on images decoded once."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from ...data import Table
from ...exceptions import ConfigError, DataError, UnknownName, UnreadableImage, needs_extra
from ...reading.pixels import METHODS, resized
from .. import progress
from ..fastai_callbacks import Callbacks, check_callbacks, make_callbacks, need_validation
from ..frozen_head import fit_head
from ..hyperparameters import PRECISIONS, check_range, check_whole
from ..inner_split import inner_split
from ..model import Array, Model
from ..seeding import repeatable
from .archs import resolve_arch
from .features import check_readable, images_of
from .fine_tuning import LARGE_BS, check_training, chosen_settings
from .image_size import as_size, check_size
from .targets import Targets
from .tta import check_tta, choose, mix

PRELOAD = ("torch", "torchvision", "timm", "fastai.vision.all")

Size = int | Sequence[int]  # in pixels: a square, or (height, width)


def vision_model(
    arch: str = "resnet26d",  # a timm or torchvision name, also an old one: see resolve_arch
    item: Size = 192,  # px at which images are kept in memory
    batch: Size = 128,  # px of the network's input: each view is cut from the kept image
    *,
    method: str = "crop",  # how images are resized to `item`: crop | squish | pad
    epochs: int | None = None,  # of the whole network; None: as many as some 300 steps need
    freeze_epochs: int = 1,  # of the head alone, before that, if it is fastai's
    lr: float | str | None = None,  # largest rate of the head; "find": by `lr_find`; None: its own
    bs: int | None = None,  # images per optimizer step; None: 16, or 64 with declared epochs
    accum: int = 1,  # batches per step: memory is needed for bs // accum images
    wd: float = 0.01,  # weight decay
    min_scale: float = 0.75,  # smallest share of the area that a random crop keeps
    flip_vert: bool = False,  # whether images may be turned upside down
    mult: float = 1.0,  # strength of rotation, warp, zoom and lighting
    tta: str = "auto",  # test-time augmentation: plain | mean | max | beta | auto, see `tta.choose`
    n_tta: int = 4,  # random views per image
    also: str | Sequence[str] = (),  # columns of the training file alone, to be learned as well
    pretrained: bool = True,
    precision: str = "auto",  # auto | fp32 | bf16 | fp16
    seed: int = 42,
    head: str = "auto",  # fastai | probe: linear, from frozen features | auto: fastai with epochs
    label_smoothing: float = 0.0,  # share of each label that goes to all classes
    mixup: float = 0.0,  # alpha of fastai's MixUp, which blends pairs of images; 0: off
    base_lr: float | None = None,  # `lr`, in the words of fastai's `fine_tune`
    lr_mult: float = 100.0,  # of `fine_tune`: the body's largest rate is base_lr / 2 / lr_mult
    pct_start: float = 0.3,  # of `fine_tune`: share of the steps in which the rate rises
    div: float = 5.0,  # of `fine_tune`: the first rate is the largest one / div
    cbs: Callbacks = (),  # fastai's callbacks: "CutMix", or {NAME: arguments}
) -> Model:
    """Return a pretrained network, fine-tuned by fastai.

    By default the head starts as the best linear one on frozen features, and about 300 steps follow
    whatever the number of images (LP-FT, Kumar et al. 2022). With declared epochs it is trained as
    by fastai's `fine_tune`. The predictions' `about["fits"]` has the epochs of each fold.
    Callbacks that read the validation loss get a fifth of the images fitted on, split by the
    competition's own rule, and never the fold.

    Its probabilities are averaged over random views if a paired test finds a gain. Rows without a
    readable image are left out of the training, and get the share of each class as prediction. When
    memory runs out, training is retried once with half the batch, accumulated to the same step.
    Raises UnknownName, ConfigError for invalid numbers or a size the network cannot take,
    WeightsMissing, MissingExtra, and DataError for a table without images.
    Source: fast.ai, Road to the Top, parts 1 to 4 (`also`: part 4).
    """
    if method not in METHODS:
        raise UnknownName("resize method", method, METHODS)
    check_tta(tta)
    if precision not in PRECISIONS:
        raise UnknownName("precision", precision, PRECISIONS)
    check_whole(0, n_tta=n_tta, seed=seed)
    check_range(0, wd=wd, mult=mult)
    check_range(0.01, 1, min_scale=min_scale)
    if n_tta == 0 and tta not in ("auto", "plain"):
        raise ConfigError(
            f"tta = {tta!r} mixes random views, got n_tta = 0. "
            'Use n_tta of 1 or more, or tta = "plain".'
        )
    labels = [also] if isinstance(also, str) else list(also)
    if base_lr is not None:
        if lr is not None:
            raise ConfigError(f"lr = {lr} and base_lr = {base_lr} are the same: give one of them.")
        lr = base_lr
    training: dict[str, Any] = dict(
        epochs=epochs,
        freeze_epochs=freeze_epochs,
        lr=float(lr) if isinstance(lr, int) else lr,
        bs=bs,
        accum=accum,
        wd=float(wd),
        precision=precision,
        head=head,
        label_smoothing=label_smoothing,
        mixup=mixup,
        lr_mult=float(lr_mult),
        pct_start=pct_start,
        div=float(div),
    )
    check_training(**training, pretrained=pretrained, also=labels)
    named = {"cbs": check_callbacks(cbs, "vision")} if cbs else {}
    with needs_extra("vision"):
        from .augment import Augment
        from .batches import Examples
        from .training import best_device, train_net

        found = resolve_arch(arch)
    item_px, batch_px = as_size(item), as_size(batch)
    check_size(found, batch_px, pretrained=pretrained)
    views: dict[str, Any] = dict(min_scale=min_scale, flip_vert=flip_vert, mult=mult)
    augment = Augment(batch_px, found.mean, found.std, **views)

    def fit(table: Table) -> FittedNet:
        if tta == "max" and not table.vocab:
            raise ConfigError(
                'tta = "max" needs classes, and the targets are values. Use "mean" or "beta".'
            )
        pixels, rows, readable = _pixels(table, item_px, method)
        check_readable(readable)
        targets = Targets(table, labels)
        examples = Examples(pixels, rows, targets.take(readable))
        settings = chosen_settings(
            found,
            batch_px,
            len(rows),
            pretrained=pretrained,
            has_gpu=best_device().type == "cuda",
            cbs=cbs,
            **training,
        )
        fitted_on, held = table.take(np.flatnonzero(readable)), None
        if need_validation(make_callbacks(cbs)):
            fit_rows, held_rows = inner_split(fitted_on, seed=seed)
            held, examples = examples.take(held_rows), examples.take(fit_rows)
            fitted_on = fitted_on.take(fit_rows)
        probe = partial(fit_head, table=fitted_on)
        fitted = partial(
            FittedNet,
            targets=targets,
            augment=augment,
            item=item_px,
            method=method,
            bs=max(1, 2 * (bs or LARGE_BS) // accum),
            precision=precision,
            n_views=0 if tta == "plain" else n_tta,
            seed=seed,
        )
        with repeatable(seed, threads=None):
            net, notes = train_net(
                settings, examples, targets, augment, fitted=fitted, probe=probe, held=held
            )
        return fitted(net, notes=notes)

    about = {
        "arch": found.full_name,
        "weights": found.weights if pretrained else "none",
        "item_px": list(item_px),
        "batch_px": list(batch_px),
        "method": method,
        **training,
        **named,
        **views,
        "tta": tta,
        "n_tta": n_tta,
        "also": labels,
        "seed": seed,
    }
    name = f"{found.name} {method}"
    return Model(name, fit, about, choose=lambda variants: choose(variants, tta))


@dataclass
class FittedNet:
    """A trained network."""

    estimator: Any
    targets: Targets
    augment: Any  # an Augment
    item: tuple[int, int]  # (height, width) in pixels of the kept images
    method: str
    bs: int  # images per batch: more than in training, because no gradients are kept
    precision: str
    n_views: int  # random views of each image
    seed: int
    notes: dict[str, Any] = field(default_factory=dict)
    importances: dict[str, float] = field(default_factory=dict)

    def predict(self, table: Table) -> Array:
        """Return (n, n_outputs) predictions of the whole images, without random views."""
        return self._predict(table, 0)["plain"]

    def variants(self, table: Table) -> dict[str, Array]:
        """Return the predictions by each way of mixing the random views."""
        return self._predict(table, self.n_views)

    def _predict(self, table: Table, n_views: int) -> dict[str, Array]:
        from .training import predict_net

        pixels, rows, readable = _pixels(table, self.item, self.method)
        settings: dict[str, Any] = {"bs": self.bs, "precision": self.precision}
        forward = partial(predict_net, self.estimator, pixels, rows, **settings)
        augment, targets = self.augment, self.targets
        plain, views = np.empty((0, targets.n_main)), [np.empty((0, targets.n_main))] * n_views
        if len(rows):
            with repeatable(self.seed + 1, threads=None):
                output = forward(view=augment.plain)
                outputs = []
                for i in range(n_views):
                    progress.report(1, 1, f"view {i + 1}/{n_views}")
                    outputs.append(forward(view=augment.random))
            self.notes.update(targets.scores_also(output, table, readable))
            plain, views = targets.decode(output), [targets.decode(o) for o in outputs]
        variants = {}
        for name, preds in mix(plain, views, classes=bool(table.vocab)).items():
            variants[name] = np.tile(targets.prior, (len(table), 1))  # for unreadable images
            variants[name][readable] = preds
        return variants


def augmented(
    table: Table,
    rows: Sequence[int],  # positions of images in the table
    n_views: int = 6,  # of each image
    *,
    item: Size = 192,  # this and the following: as in vision_model
    batch: Size = 128,
    method: str = "crop",
    min_scale: float = 0.75,
    flip_vert: bool = False,
    mult: float = 1.0,
    seed: int = 42,
) -> Array:
    """Return the network's inputs for some images, to look at them.

    The array is (n_rows, 1 + n_views, height, width, 3) bytes: the whole image, then random views.
    Raises UnknownName, ConfigError for invalid numbers, DataError for rows outside the table and a
    table without images, and UnreadableImage.
    """
    with needs_extra("vision"):
        import torch

        from .augment import Augment
    check_whole(0, n_views=n_views, seed=seed)
    check_range(0.01, 1, min_scale=min_scale)
    if not len(rows) or not all(-len(table) <= row < len(table) for row in rows):
        raise DataError(
            f"Expected positions in a table of {len(table)} rows, got rows = {list(rows)}."
        )
    taken, item_px = table.take(np.asarray(rows)), as_size(item)
    pixels, places, readable = _pixels(taken, item_px, method)
    if not readable.all():
        first, files = int(np.argmin(readable)), taken.images or ()
        file = list(files)[first]
        problems = resized(files, item_px, method=method).problems
        reason = problems.get(file, "there is no such file")
        raise UnreadableImage(file or f"The image of row {rows[first]}", reason)
    no_normalisation = (0.0,) * 3, (1.0,) * 3
    augment = Augment(as_size(batch), *no_normalisation, min_scale, flip_vert, mult)
    images = torch.from_numpy(pixels[places])
    with repeatable(seed):
        views = [augment.plain(images), *(augment.random(images) for _ in range(n_views))]
    out: Array = (torch.stack(views, 1) * 255).round().byte().permute(0, 1, 3, 4, 2).numpy()
    return out


def _pixels(table: Table, size: tuple[int, int], method: str) -> tuple[Array, Array, Array]:
    """Return (pixels of the files, the readable rows' places in them, which rows are readable)."""
    images = images_of(table)
    pixels = resized(images, size, method=method)
    readable = pixels.ok[images.rows]
    return pixels.array, images.rows[readable], readable
