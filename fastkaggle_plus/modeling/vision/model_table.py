"""Which image models are best: timm's published accuracy and speed, in one table that can be filtered."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ...exceptions import DataError, UnknownName

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["join_results", "model_table"]

_HERE = Path(__file__).parent
_RESULTS, _SPEEDS = _HERE / "timm_results.csv", _HERE / "timm_speeds.csv"
# Families whose nets take one size only, unless another is asked for when the net is made. A test compares each row with timm itself.
_FIXED_SIZE = {
    "beit",
    "beitv2",
    "deit",
    "deit3",
    "eva",
    "eva02",
    "levit",
    "maxvit",
    "swin",
    "swinv2",
    "vit",
}
_DATA = re.compile(
    r"in1k|in12k|in21k|in22k|laion2b|laiona|m38m|m30m|jft|openai|swag|ig1b|yfcc100m"
)  # what tags call the images weights were trained on


def model_table(
    *,
    max_params_m: float | None = None,  # at most so many million parameters
    min_top1: float | None = None,  # at least so many per cent of ImageNet-1k right, first guess
    min_images_per_s: float | None = None,  # at least this fast
    max_input_px: int | None = None,  # images of at most this height
    free_size: bool
    | None = None,  # True: only nets that take any size; False: only those that do not
    families: Sequence[str] | None = None,  # only these: convnext, vit, levit, ...
    results: str | Path = _RESULTS,  # timm's results-imagenet.csv, to use a newer one
    speeds: str | Path = _SPEEDS,  # and one of its benchmark-infer-*.csv
) -> pd.DataFrame:
    """Return a row for each model and input size, best top-1 first.

    Columns: model (its full name, for `resolve_arch`), family, top1 (per cent), n_params_m, images_per_s, input_px, is_free_size,
    pretrained_on (from the tag).

    The rows that come with the package are a selection, read on 2026-11-24, of two files of huggingface/pytorch-image-models at commit
    7479d451a6dfd8af27f941b8e82a7402461fae80: results/results-imagenet.csv and results/benchmark-infer-amp-nhwc-pt240-cu124-rtx4090.csv. So
    speeds are forward passes on one RTX 4090: compare them with each other, not with your machine. Weights without an ImageNet-1k head
    (convnext_small.fb_in22k) have no score and no row.

    Raises UnknownName for a family that is not there, DataError for files that cannot be joined.
    """
    import pandas as pd

    table = join_results(
        pd.read_csv(results, comment="#", thousands=","),
        pd.read_csv(speeds, comment="#", thousands=","),
    )
    for family in families or ():
        if family not in set(table["family"]):
            raise UnknownName("family", family, table["family"])
    keep = pd.Series(True, index=table.index)
    if max_params_m is not None:
        keep &= table["n_params_m"] <= max_params_m
    if min_top1 is not None:
        keep &= table["top1"] >= min_top1
    if min_images_per_s is not None:
        keep &= table["images_per_s"] >= min_images_per_s
    if max_input_px is not None:
        keep &= table["input_px"] <= max_input_px
    if free_size is not None:
        keep &= table["is_free_size"] == free_size
    if families:
        keep &= table["family"].isin(families)
    return table[keep].reset_index(drop=True)


def join_results(
    results: pd.DataFrame,  # as in results-imagenet.csv: model (with its tag), img_size, top1, param_count (millions)
    speeds: pd.DataFrame,  # as in benchmark-infer-*.csv: model (without), infer_img_size, infer_samples_per_sec
) -> pd.DataFrame:
    """Join timm's two files on name and size. Raises DataError if columns are missing or no row finds its partner.

    Results name the weights (resnet50.a1_in1k), speeds only the net (resnet50), and both have a net at several sizes: joined on the name as it
    stands nothing is left, and joined on the bare name alone each score meets the speeds of other sizes.
    """
    _need(results, ("model", "img_size", "top1", "param_count"), "accuracies")
    _need(speeds, ("model", "infer_img_size", "infer_samples_per_sec"), "speeds")
    named = results.assign(net=results["model"].str.partition(".")[0])
    timed = speeds.rename(columns={"model": "net", "infer_img_size": "img_size"})[
        ["net", "img_size", "infer_samples_per_sec"]
    ]
    joined = named.merge(timed.drop_duplicates(["net", "img_size"]), on=["net", "img_size"])
    if not len(joined):
        raise DataError(
            f"None of {len(results)} accuracies and {len(speeds)} speeds are of the same net at the same size. "
            "Give timm's results-imagenet.csv and a benchmark-infer-*.csv of about the same time."
        )
    family = joined["net"].map(_family)
    table = joined.assign(
        family=family,
        n_params_m=joined["param_count"],
        images_per_s=joined["infer_samples_per_sec"],
        input_px=joined["img_size"],
        is_free_size=~family.isin(_FIXED_SIZE),
        pretrained_on=joined["model"].map(_pretrained_on),
    )
    columns = [
        "model",
        "family",
        "top1",
        "n_params_m",
        "images_per_s",
        "input_px",
        "is_free_size",
        "pretrained_on",
    ]
    return (
        table[columns]
        .sort_values(["top1", "images_per_s"], ascending=False, kind="stable")
        .reset_index(drop=True)
    )


def _need(frame: pd.DataFrame, columns: tuple[str, ...], what: str) -> None:
    if missing := [c for c in columns if c not in frame]:
        raise DataError(
            f"The file of {what} lacks {', '.join(missing)}; it has {', '.join(map(str, frame.columns))}. Give one of timm's results/*.csv."
        )


def _family(net: str) -> str:
    "resnet50d -> resnetd, regnety_016 -> regnet, tf_efficientnet_lite0 -> efficientnet_lite; else what stands before the first underscore."
    net = net.removeprefix("tf_")
    for start in ("efficientnet_lite", "tiny_vit", "regnet", "vgg"):
        if net.startswith(start):
            return start
    head = net.partition("_")[0]
    return re.sub(r"^resnet\d+", "resnet", head)


def _pretrained_on(model: str) -> str:
    "convnext_base.clip_laion2b_augreg_ft_in12k_in1k -> laion2b+in12k; in1k only where there was nothing before it."
    seen = list(dict.fromkeys(_DATA.findall(model.partition(".")[2])))
    return "+".join([s for s in seen if s != "in1k"] or seen)
