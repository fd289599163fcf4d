"""Default kernel metadata of a competition's notebook: its title, machine and inputs."""

import re
import textwrap
from typing import Any

from ..competition import Competition
from ..exceptions import ConfigError
from ..kaggle_client.kernels.metadata import (
    DEFAULT_GPU,
    NAME_LENGTH,
    KernelMetadata,
    slugify,
    title_problem,
)

_QUICK = " QUICK"


def kernel_metadata(
    comp: Competition,
    *,
    owner: str = "",  # Kaggle user; "": fill it in before a push
    title: str = "",  # 5 to 50 characters; Kaggle makes the name in the URL from it
    quick: bool = False,  # a dry run: its title ends with QUICK, so it is a notebook of its own
    libs_dataset: str = "",  # owner/name of the dataset of wheels
    gpu: bool | None = None,  # None: for images and text
    internet: bool | None = None,  # None: on, but off for a code competition
    datasets: tuple[str, ...] = (),  # more inputs, owner/name
    models: tuple[str, ...] = (),  # owner/model/framework/variation/version
) -> dict[str, Any]:
    """Return the metadata of a private notebook. Raises ConfigError for an invalid title."""
    if not title:  # as many words of the slug as fit
        words, tail = re.sub("[-_]", " ", comp.slug), " with evidence"
        start = textwrap.shorten(words, NAME_LENGTH[1] - len(tail), placeholder="")
        title = start.capitalize() + tail
    if problem := title_problem(title):
        raise ConfigError(problem)
    if quick:
        title = f"{title[: NAME_LENGTH[1] - len(_QUICK)].rstrip()}{_QUICK}"
    gpu = comp.kind != "tabular" if gpu is None else gpu
    name = slugify(title)
    return KernelMetadata(
        id=f"{owner}/{name}" if owner else name,
        title=title,
        code_file=f"{name}.ipynb",
        language="python",
        kernel_type="notebook",
        enable_gpu=gpu,
        enable_internet=not comp.code_competition if internet is None else internet,
        machine_shape=DEFAULT_GPU if gpu else "",
        dataset_sources=[d for d in (libs_dataset, *datasets) if d],
        competition_sources=[comp.slug],
        model_sources=list(models),
    ).as_dict()
