"""Paddy's declared trials: the four parts of the course's Road to the Top, and some for a laptop.

`fkp run` takes TRIALS, which run in minutes without a GPU. Another list runs on one declared
holdout, as in the course: `fkp sweep paddy-disease-classification --list PART_2 --holdout 0.2`.
"""

from __future__ import annotations

from typing import Any

from fastkaggle_plus import Trial


def image(name: str, hypothesis: str, *, in_ensemble: bool = True, **params: Any) -> Trial:
    "Declare a network that looks at images."
    return Trial(name, "vision.vision_model", params, hypothesis, in_ensemble)


PART_1 = (  # First steps: the whole image, squished
    image(
        "resnet26d",
        "A small network and three epochs are a submission in minutes.",
        arch="resnet26d",
        item=480,
        batch=128,
        method="squish",
        epochs=3,
        lr=0.01,
    ),
)

SMALL = {"item": 192, "batch": 128, "epochs": 5, "lr": 0.01}

PART_2 = (  # Small models: one change at a time
    image(
        "resnet26d, crop",
        "The baseline, on images made smaller first.",
        arch="resnet26d",
        method="crop",
        **SMALL,
    ),
    image(
        "convnext, crop",
        "A network pretrained on more images is worth more than any transform.",
        arch="convnext_small_in22k",
        method="crop",
        **SMALL,
    ),
    image(
        "convnext, squish",
        "Nothing cut off is better than the true shape.",
        arch="convnext_small_in22k",
        method="squish",
        **SMALL,
    ),
    image(
        "convnext, pad",
        "The whole image in its true shape is better than either.",
        arch="convnext_small_in22k",
        method="pad",
        **{**SMALL, "item": [256, 192], "batch": [171, 128]},
    ),
)

LONG = {"epochs": 12, "lr": 0.01, "accum": 2}

PART_3 = (  # Scaling up: three small networks scored what six large ones did
    image(
        "convnext, rectangle",
        "Larger images and more epochs help every family.",
        arch="convnext_small_in22k",
        item=[640, 480],
        batch=[288, 224],
        method="squish",
        **LONG,
    ),
    image(
        "vit, crop",
        "A vision transformer errs elsewhere than convolutions do.",
        arch="vit_small_patch16_224",
        item=480,
        batch=224,
        method="crop",
        **LONG,
    ),
    image(
        "swinv2, squish",
        "Windows that shift err elsewhere than both.",
        arch="swinv2_base_window12_192_22k",
        item=480,
        batch=192,
        method="squish",
        **LONG,
    ),
)

PART_3_LARGE = (  # what the course's best submission was made of: 9 hours on Kaggle's GPU
    image(
        "convnext large, rectangle",
        "Four large networks average to more than three small ones.",
        arch="convnext_large_in22k",
        item=[640, 480],
        batch=[320, 240],
        method="squish",
        **LONG,
    ),
    image(
        "vit large, squish",
        "As above.",
        arch="vit_large_patch16_224",
        item=480,
        batch=224,
        method="squish",
        **LONG,
    ),
    image(
        "vit large, crop",
        "As above.",
        arch="vit_large_patch16_224",
        item=480,
        batch=224,
        method="crop",
        **LONG,
    ),
    image(
        "swinv2 large, squish",
        "As above.",
        arch="swinv2_large_window12_192_22k",
        item=480,
        batch=192,
        method="squish",
        **LONG,
    ),
    image(
        "swinv2 large, crop",
        "As above.",
        arch="swinv2_large_window12_192_22k",
        item=480,
        batch=192,
        method="crop",
        **LONG,
    ),
    image(
        "swin large, squish",
        "As above.",
        arch="swin_large_patch4_window7_224",
        item=480,
        batch=224,
        method="squish",
        **LONG,
    ),
)

PART_4 = (  # Multi-target: does knowing the variety help?
    image(
        "disease alone",
        "The baseline of the next one.",
        arch="convnext_small_in22k",
        method="squish",
        **SMALL,
    ),
    image(
        "disease and variety",
        "What tells the varieties apart helps to tell the diseases.",
        arch="convnext_small_in22k",
        method="squish",
        also=["variety"],
        **SMALL,
    ),
)

ENSEMBLE = "mean"  # of the trials with in_ensemble, declared before anything was scored

LAPTOP = {"item": 128, "batch": 96, "epochs": 3, "lr": 0.01, "bs": 32}

TRIALS = (  # the longest first, so that no core waits for it at the end
    image(
        "lite1, squish",
        "A deeper network of the same family errs elsewhere.",
        arch="tf_efficientnet_lite1",
        method="squish",
        **LAPTOP,
    ),
    image(
        "lite0, squish",
        "A small pretrained network sees what colours do not tell.",
        arch="tf_efficientnet_lite0",
        method="squish",
        **LAPTOP,
    ),
    image(
        "lite0, crop",
        "The leaves' true shape matters more than their tips.",
        arch="tf_efficientnet_lite0",
        method="crop",
        **LAPTOP,
    ),
    image(
        "squeezenet, squish",
        "The smallest pretrained network is enough.",
        arch="squeezenet1_1",
        method="squish",
        **LAPTOP,
    ),
    Trial(
        "colours",
        "forest.forest_model",
        hypothesis="Colours, a thumbnail and edges: the floor for all that looks closer.",
        in_ensemble=False,
    ),
)
