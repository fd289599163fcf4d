"""`probe`: rank pretrained image networks on a competition's own images, one forward pass each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..competition import Competition
from ..data import Data
from ..exceptions import ConfigError, WeightsMissing, needs_extra
from ..sweeps.board import BoardRow
from ..sweeps.trial import Trial
from ..ui.records import Records
from .callbacks import RunCallbacks
from .measure import measure_trials
from .outcome import SweepOutcome
from .run_progress import RunProgress, with_progress

if TYPE_CHECKING:
    from ..modeling import Arch


@dataclass(frozen=True)
class ArchRow(BoardRow):
    """One line of the ranking: a network, its score on the user's images, and published facts."""

    size_px: tuple[int, int] = (0, 0)  # (height, width) of its input
    n_params_m: float = 0.0  # millions of parameters
    top1: float | None = None  # published accuracy on ImageNet-1k, in per cent

    def as_row(self) -> dict[str, object]:
        """Return the cells that people read."""
        row, (height, width) = super().as_row(), self.size_px
        return {
            "network": self.name,
            "px": f"{height}" if height == width else f"{height}x{width}",
            "CV score": f"{row['CV score']} {row['SE']}",
            **{name: row[name] for name in ("seconds", "to best", "verdict")},
            "M": f"{self.n_params_m:.1f}",
            "ImageNet": "" if self.top1 is None else f"{self.top1:.1f}",
        }

    def as_json(self) -> dict[str, Any]:
        """Return the row as plain data."""
        facts = {"size_px": list(self.size_px), "n_params_m": self.n_params_m, "top1": self.top1}
        return {**super().as_json(), **facts}


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class ProbeOutcome(SweepOutcome):
    """The ranking of networks, in `rows`."""

    skipped: dict[str, str] = field(default_factory=dict)  # network -> why it cannot be probed

    def as_json(self) -> dict[str, Any]:
        """Return the value of `fkp probe --json`."""
        return {**super().as_json(), "skipped": self.skipped}


@with_progress(RunProgress)
def probe(
    slug: str,
    archs: Sequence[str] = (),  # of timm or torchvision; default: those on this machine
    *,
    size: int | None = None,  # px of the input of every network; default: each its own size
    method: str = "squish",  # how images are resized: crop | squish | pad
    flip: bool = True,  # average the features of each image and its mirror
    callbacks: RunCallbacks | None = None,  # default: show the progress
    **options: Any,  # of `sweep`: bundles, data, dest, live, seed, n_folds, holdout, workers, ...
) -> ProbeOutcome:
    """Rank pretrained networks on a competition's images, with linear heads on their features.

    Each network is a trial of `probe_model` in the vault of `run`, so `fkp board` compares it with
    the other trials. Networks that do not take the size, or whose weights are not here and cannot
    be downloaded, are skipped. Raises UnknownName for an unknown network, ConfigError for a
    competition without images, and ConfigError or WeightsMissing if all networks are skipped.
    """
    callbacks = callbacks or RunCallbacks()
    found: dict[str, Arch] = {}  # by the trial's name
    skipped: dict[str, str] = {}

    def choose(comp: Competition, _: Data) -> tuple[Trial, ...]:
        if comp.kind != "images":
            raise ConfigError(
                f"A probe needs images, and {comp.slug} has kind = {comp.kind!r}. "
                f"`fkp sweep {comp.slug}` measures its trials."
            )
        usable, unusable = _usable(archs, size)
        skipped.update(unusable)
        for reason in unusable.values():
            callbacks.on_step("skipped", reason)
        settings: dict[str, Any] = {"method": method, "flip": flip}
        for arch in usable:
            found[arch.full_name if size is None else f"{arch.full_name} {size} px"] = arch
        return tuple(
            Trial(
                f"probe {name}",
                "probe.probe_model",
                {"arch": arch.full_name, "size": size or list(arch.input_px), **settings},
                f"the features of {arch.full_name} are the best for these images",
            )
            for name, arch in found.items()
        )

    measured = measure_trials(slug, choose, callbacks=callbacks, **options)
    ranked = [_arch_row(row, found[row.name.removeprefix("probe ")], size) for row in measured.rows]
    return ProbeOutcome(**{**vars(measured), "rows": Records(ranked)}, skipped=skipped)


def _usable(names: Sequence[str], size: int | None) -> tuple[list[Arch], dict[str, str]]:
    """Return the networks that can be probed, with their weights here, and why others cannot."""
    with needs_extra("vision"):
        from ..modeling import resolve_arch
        from ..modeling.vision.image_size import check_size
        from ..modeling.vision.weights import fetch_weights, local_archs

        asked = [resolve_arch(name) for name in names or local_archs()]
    if not asked:
        raise WeightsMissing(
            "No pretrained image weights are on this machine. Name networks to download, as in "
            '--archs "convnext_nano,resnet26d". `fkp archs` lists good ones.'
        )
    usable, skipped = [], {}
    for arch in {arch.full_name: arch for arch in asked}.values():
        try:
            check_size(arch, arch.input_px if size is None else size)
            fetch_weights(arch)
            usable.append(arch)
        except (ConfigError, WeightsMissing) as e:
            skipped[arch.full_name], kind = str(e), type(e)
    if not usable:
        raise kind("\n".join(skipped.values()))
    return usable, skipped


def _arch_row(row: BoardRow, arch: Arch, size: int | None) -> ArchRow:
    from ..modeling import model_table

    table = model_table()
    top1 = table["top1"][table["model"] == arch.full_name]
    return ArchRow(
        **{**vars(row), "name": arch.full_name},
        size_px=arch.input_px if size is None else (size, size),
        n_params_m=round(arch.n_params / 1e6, 2),
        top1=float(top1.max()) if len(top1) else None,
    )
