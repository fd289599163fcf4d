"""What Kaggle is told about a notebook: kernel-metadata.json as it works today, checked before anything is sent."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable
from typing import Any

from ...exceptions import PushRefused
from ..services import slug_of

DEFAULT_GPU, DEFAULT_TPU = "NvidiaTeslaT4", "TpuV5E8"
# Kaggle runs the last two on a CPU, without a word.
RETIRED = {
    "NvidiaTeslaP100": DEFAULT_GPU,
    "TpuV38": DEFAULT_TPU,
    "Tpu1VmV38": DEFAULT_TPU,
    "TpuV232": DEFAULT_TPU,
    "TpuV2256": DEFAULT_TPU,
}
MAX_TIMEOUT_S = 12 * 3600
_PART = r"[\w.-]+"
# Per kind of input: the key, the form, and how to say it.
FORMS = (
    ("dataset_sources", rf"{_PART}/{_PART}(/\d+)?", "OWNER/NAME or OWNER/NAME/VERSION"),
    ("competition_sources", _PART, "the competition's slug"),
    ("kernel_sources", rf"{_PART}/{_PART}(/\d+)?", "OWNER/NAME"),
    (
        "model_sources",
        rf"{_PART}/{_PART}/{_PART}/{_PART}(/\d+)?",
        "OWNER/MODEL/FRAMEWORK/VARIATION/VERSION",
    ),
)


def nb_meta(
    user: str,  # whose notebook it becomes
    id: str,  # its name in its address, the title in lower case with dashes
    title: str,  # 5 to 50 characters
    file: str,  # the notebook, or a .py script
    competition: str | Iterable[str] | None = None,  # slug, or several
    private: bool = True,
    gpu: bool = False,
    internet: bool = True,  # most code competitions want False
    linked_datasets: Iterable[str] | None = None,  # owner/name[/version]
    *,
    tpu: bool = False,
    machine_shape: str
    | None = None,  # accelerator by Kaggle's name; None = T4 x2 with gpu, v5e-8 with tpu
    linked_models: Iterable[str] | None = None,  # owner/model/framework/variation/version
    linked_notebooks: Iterable[str] | None = None,  # owner/name, for its output
    docker_image: str | None = None,  # an exact image, as `kaggle kernels pull -m` writes it
    docker_image_pinning_type: str | None = None,  # original | latest
    timeout_s: float | None = None,  # longest run; None = Kaggle's own limit
    keywords: Iterable[str] = (),
) -> dict[str, Any]:
    """Return the `dict` required for a kernel-metadata.json file."""
    if machine_shape in RETIRED:
        warnings.warn(
            f"Kaggle has retired the accelerator {machine_shape}; {RETIRED[machine_shape]} is used in its place.",
            stacklevel=2,
        )
        machine_shape = RETIRED[machine_shape]
    shape = machine_shape or (DEFAULT_TPU if tpu else DEFAULT_GPU if gpu else None)
    meta: dict[str, Any] = {
        "id": f"{user}/{id}",
        "title": title,
        "code_file": str(file),
        "language": "python",
        "kernel_type": "script" if str(file).endswith(".py") else "notebook",
        "is_private": private,
        "enable_gpu": gpu or (shape or "").startswith("Nvidia"),
        "enable_tpu": tpu or (shape or "").startswith("Tpu"),
        "enable_internet": internet,
        "keywords": list(keywords),
        "dataset_sources": _several(linked_datasets),
        "competition_sources": [slug_of(c) for c in _several(competition)],
        "kernel_sources": _several(linked_notebooks),
        "model_sources": _several(linked_models),
    }
    more = {
        "machine_shape": shape,
        "docker_image": docker_image,
        "docker_image_pinning_type": docker_image_pinning_type,
        "session_timeout_seconds": int(timeout_s) if timeout_s else None,
    }
    return meta | {k: v for k, v in more.items() if v is not None}


def check_meta(meta: dict[str, Any]) -> None:
    """Raise PushRefused if Kaggle would refuse this, or take it for something else."""
    from slugify import slugify

    owner, _, slug = str(meta["id"]).partition("/")
    title, as_slug = meta["title"], slugify(meta["title"])
    if not (re.fullmatch(_PART, owner) and re.fullmatch(_PART, slug)):
        _refuse(
            f"{meta['id']!r} is no name for a notebook: give your user name, and an id of letters, digits and dashes."
        )
    for what, text in (("title", title), ("id", slug)):
        if not 5 <= len(text) <= 50:
            _refuse(f"The {what} {text!r} has {len(text)} characters; Kaggle takes 5 to 50.")
    if slug.lower() != as_slug:
        _refuse(
            f"The title {title!r} makes the id {as_slug!r}, and {slug!r} was given: Kaggle would rename the notebook, and every "
            f"later look would miss it. Use id={as_slug!r}, or a title that reads like the id."
        )
    for key, form, says in FORMS:
        for source in meta[key]:
            if not re.fullmatch(form, source):
                _refuse(f"{source!r} in {key} is not {says}.")
    if meta["enable_gpu"] and meta["enable_tpu"]:
        _refuse(
            "A notebook runs on a GPU or on a TPU, and both were asked for. Drop gpu, tpu or machine_shape."
        )
    if (pin := meta.get("docker_image_pinning_type")) not in (None, "original", "latest"):
        _refuse(f"docker_image_pinning_type is {pin!r}; Kaggle knows 'original' and 'latest'.")
    if not 0 < meta.get("session_timeout_seconds", 1) <= MAX_TIMEOUT_S:
        _refuse(
            f"timeout_s is {meta['session_timeout_seconds']}; Kaggle takes more than 0 and at most {MAX_TIMEOUT_S} (12 h)."
        )


def _several(given: Any) -> list[Any]:
    """Return one, many or none as a list; one may be a Competition."""
    if not given:
        return []
    return [given] if isinstance(given, str) or hasattr(given, "slug") else list(given)


def _refuse(why: str) -> None:
    raise PushRefused(f"{why} Nothing was pushed.")
