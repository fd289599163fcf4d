"""A table of image models: timm's published accuracy and speed, joined, to filter and sort."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ...exceptions import DataError, UnknownName

if TYPE_CHECKING:
    import pandas as pd

_FOLDER = Path(__file__).parent
_RESULTS, _SPEEDS = _FOLDER / "timm_results.csv", _FOLDER / "timm_speeds.csv"
# Families of nets that are built for one image size. A test compares each row with timm itself.
_FIXED_SIZE = set("beit beitv2 deit deit3 eva eva02 levit maxvit swin swinv2 vit".split())
# the names that tags give to training data
_TRAINED_ON = re.compile(
    "in1k|in12k|in21k|in22k|laion2b|laiona|m38m|m30m|jft|openai|swag|ig1b|yfcc100m"
)


def model_table(
    *,
    max_params_m: float | None = None,  # largest number of parameters, in millions
    min_top1: float | None = None,  # per cent of ImageNet-1k that the first guess gets right
    min_images_per_s: float | None = None,
    max_input_px: int | None = None,  # largest image height
    free_size: bool | None = None,  # True: nets that take any size; False: only the others
    families: Sequence[str] | None = None,  # convnext, vit, levit, ...; None: all
    results: str | Path = _RESULTS,  # timm's results-imagenet.csv, to use a newer one
    speeds: str | Path = _SPEEDS,  # one of timm's benchmark-infer-*.csv
) -> pd.DataFrame:
    """Return a row for each model and input size, best top-1 first.

    Columns: model (its full name, for `resolve_arch`), family, top1 (per cent), n_params_m,
    images_per_s, input_px, is_free_size, pretrained_on (from the tag).

    The rows in this package are a selection, read on 2026-11-24, of two files of
    huggingface/pytorch-image-models at commit 7479d451a6dfd8af27f941b8e82a7402461fae80:
    results/results-imagenet.csv and results/benchmark-infer-amp-nhwc-pt240-cu124-rtx4090.csv.
    Speeds are forward passes on one RTX 4090: compare them with each other, not with your machine.
    Weights without an ImageNet-1k head (convnext_small.fb_in22k) have no score and no row.

    Raises UnknownName for an unknown family, DataError for files that cannot be joined.
    """
    import pandas as pd

    accuracies, timings = (pd.read_csv(f, comment="#", thousands=",") for f in (results, speeds))
    table = join_results(accuracies, timings)
    for family in families or ():
        if family not in set(table["family"]):
            raise UnknownName("family", family, table["family"])
    if max_params_m is not None:
        table = table[table["n_params_m"] <= max_params_m]
    if min_top1 is not None:
        table = table[table["top1"] >= min_top1]
    if min_images_per_s is not None:
        table = table[table["images_per_s"] >= min_images_per_s]
    if max_input_px is not None:
        table = table[table["input_px"] <= max_input_px]
    if free_size is not None:
        table = table[table["is_free_size"] == free_size]
    if families:
        table = table[table["family"].isin(families)]
    return table.reset_index(drop=True)


def join_results(
    results: pd.DataFrame,  # model (with its tag), img_size, top1, param_count (millions)
    speeds: pd.DataFrame,  # model (without tag), infer_img_size, infer_samples_per_sec
) -> pd.DataFrame:
    """Join timm's two files on net and image size. Raises DataError where that is impossible.

    Results name the weights (resnet50.a1_in1k), speeds only the net (resnet50), and both have a net
    at several sizes. A join on the full name is empty; a join on the bare name alone pairs scores
    with the speeds of other sizes.
    """
    _check_columns(results, ("model", "img_size", "top1", "param_count"), "accuracies")
    _check_columns(speeds, ("model", "infer_img_size", "infer_samples_per_sec"), "speeds")
    named = results.assign(net=results["model"].str.partition(".")[0]).rename(
        columns={"img_size": "input_px", "param_count": "n_params_m"}
    )
    renamed = {
        "model": "net",
        "infer_img_size": "input_px",
        "infer_samples_per_sec": "images_per_s",
    }
    timed = speeds.rename(columns=renamed)[list(renamed.values())]
    keys = ["net", "input_px"]
    table = named.merge(timed.drop_duplicates(keys), on=keys)
    if not len(table):
        raise DataError(
            f"None of {len(results)} accuracies and {len(speeds)} speeds are of the same net at "
            "the same size. Use timm's results-imagenet.csv and a benchmark-infer-*.csv of about "
            "the same date."
        )
    table["family"] = table["net"].map(_family)
    table["is_free_size"] = ~table["family"].isin(_FIXED_SIZE)
    table["pretrained_on"] = table["model"].map(_pretrained_on)
    columns = "model family top1 n_params_m images_per_s input_px is_free_size pretrained_on"
    best_first = table.sort_values(["top1", "images_per_s"], ascending=False, kind="stable")
    return best_first[columns.split()].reset_index(drop=True)


def _check_columns(frame: pd.DataFrame, columns: tuple[str, ...], what: str) -> None:
    if missing := [c for c in columns if c not in frame]:
        raise DataError(
            f"The file of {what} lacks the columns {', '.join(missing)}; it has "
            f"{', '.join(map(str, frame.columns))}. Use one of timm's results/*.csv."
        )


def _family(net: str) -> str:
    """Return the family: resnetd of resnet50d, regnet of regnety_016, convnext of convnext_tiny."""
    net = net.removeprefix("tf_")
    for start in ("efficientnet_lite", "tiny_vit", "regnet", "vgg"):
        if net.startswith(start):
            return start
    return re.sub(r"^resnet\d+", "resnet", net.partition("_")[0])


def _pretrained_on(model: str) -> str:
    """Return the training data in the tag: laion2b+in12k; in1k only where there is no other."""
    found = list(dict.fromkeys(_TRAINED_ON.findall(model.partition(".")[2])))
    return "+".join([name for name in found if name != "in1k"] or found)
