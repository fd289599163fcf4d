"""Paddy's trials: the four parts of the course's Road to the Top, and some for a laptop.

`fkp run` takes TRIALS, which run in minutes without a GPU. Run another list on one holdout, as in
the course: `fkp sweep paddy-disease-classification --list PART_2 --holdout 0.2`.
"""

from __future__ import annotations

from typing import Any

from fastkaggle_plus import Trial, experiment


def image(name: str, hypothesis: str, *, in_ensemble: bool = True, **params: Any) -> Trial:
    """Declare a trial of an image network."""
    return Trial(name, "vision.vision_model", params, hypothesis, in_ensemble)


PART_1 = (  # First steps: the whole image, squished
    image(
        "resnet26d",
        "A small network gives us a submission in minutes.",
        arch="resnet26d",
        item=480,
        batch=128,
        method="squish",
        epochs=3,
        lr=0.01,
    ),
)

SMALL = {"item": 192, "batch": 128, "epochs": 5, "lr": 0.01}

CROP = image(
    "resnet26d, crop", "The baseline, on smaller images.", arch="resnet26d", method="crop", **SMALL
)
CONVNEXT = experiment(
    "A network pretrained on more images matters more than any transform.",
    base=CROP,
    change={"arch": "convnext_small_in22k"},
    name="convnext, crop",
)

PART_2 = (  # Small models: one change at a time
    CROP,
    CONVNEXT,
    experiment(
        "Seeing everything is better than seeing the true shape.",
        base=CONVNEXT,
        change={"method": "squish"},
        name="convnext, squish",
    ),
    experiment(
        "Seeing everything in its true shape is better than both.",
        base=CONVNEXT,
        change={"method": "pad", "item": [256, 192], "batch": [171, 128]},
        several=True,  # a photograph keeps its shape only in images of that shape
        name="convnext, pad",
    ),
)

LONG = {"epochs": 12, "lr": 0.01, "accum": 2}

PART_3 = (  # Scaling up: three small networks score the same as six large ones
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
        "A vision transformer makes other mistakes than convolutions.",
        arch="vit_small_patch16_224",
        item=480,
        batch=224,
        method="crop",
        **LONG,
    ),
    image(
        "swinv2, squish",
        "A transformer with windows makes other mistakes than both.",
        arch="swinv2_base_window12_192_22k",
        item=480,
        batch=192,
        method="squish",
        **LONG,
    ),
)

PART_3_LARGE = (  # the course's best submission: 9 hours on Kaggle's GPU
    image(
        "convnext large, rectangle",
        "Large networks are better than three small ones.",
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

ALONE = image(
    "disease alone",
    "The baseline for the next trial.",
    arch="convnext_small_in22k",
    method="squish",
    **SMALL,
)

PART_4 = (  # Multi-target: does knowing the variety help?
    ALONE,
    experiment(
        "Learning the variety helps to recognise the disease.",
        base=ALONE,
        change={"also": ["variety"]},
        name="disease and variety",
    ),
)

ENSEMBLE = "auto"  # of the trials with in_ensemble; each fold is scored with others' weights


PROBE = Trial(
    "probe lite0",
    "probe.probe_model",
    {"arch": "tf_efficientnet_lite0"},
    "A small frozen network sees more than colours.",
)

TRIALS = (  # the cheap ones first
    Trial(
        "colours",
        "forest.forest_model",
        hypothesis="A baseline to beat: colours, a thumbnail and edges.",
        in_ensemble=False,
    ),
    PROBE,
    experiment(
        "A deeper network of the same family makes other mistakes.",
        base=PROBE,
        change={"arch": "tf_efficientnet_lite2"},
        name="probe lite2",
    ),
    image(
        "lite0, fine-tuned",
        "Training the network on these pictures is better than its frozen features.",
        arch="tf_efficientnet_lite0",
        item=128,
        batch=96,
        method="squish",
    ),
)
