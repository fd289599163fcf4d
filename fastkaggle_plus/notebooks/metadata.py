"""A kernel's metadata: the kernel-metadata.json that Kaggle's clients push."""

from __future__ import annotations

import re
from typing import Any

from ..competition import Competition
from ..exceptions import ConfigError

TITLE_LENGTH = (5, 50)
GPU = "NvidiaTeslaT4"  # without machine_shape a push may land on a P100, on which Kaggle's torch runs no CUDA call
PLACEHOLDER = "your-user-name"  # the owner in metadata that was written without one
FILE = "kernel-metadata.json"


def kernel_metadata(
    comp: Competition,
    *,
    owner: str = "",  # Kaggle user; "": to be filled in before a push
    title: str = "",  # 5 to 50 characters; its slug is the notebook's name in the URL
    libs_dataset: str = "",  # owner/name of the dataset of wheels
    gpu: bool | None = None,  # None: for images and text
    internet: bool | None = None,  # None: on, but off for a code competition
    datasets: tuple[str, ...] = (),  # more inputs, owner/name
    models: tuple[str, ...] = (),  # owner/model/framework/variation/version
) -> dict[str, Any]:
    "Return the metadata of a private notebook on `comp`. Raises ConfigError for a title that Kaggle would refuse."
    title = title or default_title(comp)
    if (
        not TITLE_LENGTH[0] <= len(title) <= TITLE_LENGTH[1]
        or len(slugify(title)) < TITLE_LENGTH[0]
    ):
        raise ConfigError(
            f"The title {title!r} has {len(title)} characters. Give one of {TITLE_LENGTH[0]} to {TITLE_LENGTH[1]}, with letters or digits: "
            "the notebook's name in the URL is made of it."
        )
    gpu = comp.kind != "tabular" if gpu is None else gpu
    slug = slugify(title)
    return {
        "id": f"{owner}/{slug}" if owner else slug,
        "title": title,
        "code_file": f"{slug}.ipynb",
        "language": "python",
        "kernel_type": "notebook",
        "is_private": True,
        "enable_gpu": gpu,
        "enable_tpu": False,
        "enable_internet": not comp.code_competition if internet is None else internet,
        "machine_shape": GPU if gpu else "",
        "dataset_sources": [d for d in (libs_dataset, *datasets) if d],
        "competition_sources": [comp.slug],
        "kernel_sources": [],
        "model_sources": list(models),
    }


def default_title(comp: Competition) -> str:
    "Return a title that fits: the competition's words, and what the notebook brings to them."
    words = comp.slug.strip("_").replace("-", " ").replace("_", " ").split()
    tail = " with evidence"
    while len(" ".join(words)) + len(tail) > TITLE_LENGTH[1]:
        words.pop()
    return " ".join(words).capitalize() + tail


def slugify(title: str) -> str:
    "Return the name in the URL that Kaggle makes of a title."
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
