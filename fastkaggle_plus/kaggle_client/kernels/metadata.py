"""Kernel metadata: the schema of kernel-metadata.json, and the check that Kaggle accepts it."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from slugify import slugify  # Kaggle makes the id of a title with this package

from ...exceptions import ConfigError, PushRefused

METADATA_FILE = "kernel-metadata.json"
NAME_LENGTH = (5, 50)  # characters of a title, and of the id that Kaggle makes of it
DEFAULT_GPU, DEFAULT_TPU = "NvidiaTeslaT4", "TpuV5E8"
# Retired accelerators and their replacements. Kaggle silently runs the last two on a CPU.
RETIRED = {
    "NvidiaTeslaP100": DEFAULT_GPU,
    "TpuV38": DEFAULT_TPU,
    "Tpu1VmV38": DEFAULT_TPU,
    "TpuV232": DEFAULT_TPU,
    "TpuV2256": DEFAULT_TPU,
}
_N_GPUS = {"": 2, DEFAULT_GPU: 2, "NvidiaL4": 4}  # of machines with several; "": Kaggle's default
MAX_TIMEOUT_S = 12 * 3600  # Kaggle's longest session
_WORD = r"[\w.-]+"
# For each kind of input: the pattern of a valid name, and how to describe it.
_SOURCES = {
    "dataset_sources": (rf"{_WORD}/{_WORD}(/\d+)?", "OWNER/NAME or OWNER/NAME/VERSION"),
    "competition_sources": (_WORD, "the bare slug, without a folder"),
    "kernel_sources": (rf"{_WORD}/{_WORD}(/\d+)?", "OWNER/NAME"),
    "model_sources": (
        rf"{_WORD}/{_WORD}/{_WORD}/{_WORD}(/\d+)?",
        "OWNER/MODEL/FRAMEWORK/VARIATION/VERSION",
    ),
}


class KernelMetadata(BaseModel, frozen=True):
    """The contents of one kernel-metadata.json, under Kaggle's own names."""

    id: str = ""  # OWNER/NAME
    title: str = ""
    code_file: str = ""
    language: str = ""  # python | r | rmarkdown
    kernel_type: str = ""  # notebook | script
    is_private: bool = True
    enable_gpu: bool = False
    enable_tpu: bool = False
    enable_internet: bool = True
    keywords: list[str] = []
    dataset_sources: list[str] = []
    competition_sources: list[str] = []
    kernel_sources: list[str] = []
    model_sources: list[str] = []
    machine_shape: str | None = None  # accelerator
    docker_image: str | None = None
    docker_image_pinning_type: str | None = None  # original | latest
    session_timeout_seconds: int | None = None

    @classmethod
    def read(cls, metadata: Mapping[str, Any]) -> KernelMetadata:
        """Read a dictionary or a parsed file; null means the default. Raises ConfigError."""
        try:
            return cls(**{k: v for k, v in metadata.items() if v is not None})
        except ValidationError as e:
            raise ConfigError(f"{METADATA_FILE} has a value of the wrong type: {e}") from e

    @property
    def inputs(self) -> list[str]:
        """The names of all inputs."""
        return [source for key in _SOURCES for source in getattr(self, key)]

    @property
    def n_gpus(self) -> int:
        """The GPUs of its machine. Kaggle bills a session's wall clock once for all of them."""
        return _N_GPUS.get(self.machine_shape or "", 1) if self.enable_gpu else 0

    def as_dict(self) -> dict[str, Any]:
        """Return the dictionary to write as kernel-metadata.json, without unset options."""
        return self.model_dump(exclude_none=True)

    def problems(self) -> Iterator[str]:
        """Yield everything that Kaggle would refuse, rename or silently change."""
        yield from self._name_problems()
        yield from self._machine_problems()
        for key, (pattern, expected) in _SOURCES.items():
            for source in getattr(self, key):
                if not re.fullmatch(pattern, source):
                    yield f"{key} has {source!r}; expected {expected}."
        if self.docker_image_pinning_type not in (None, "original", "latest"):
            yield (
                f"docker_image_pinning_type is {self.docker_image_pinning_type!r}; "
                "expected 'original' or 'latest'."
            )
        timeout_s = self.session_timeout_seconds
        if timeout_s is not None and not 0 < timeout_s <= MAX_TIMEOUT_S:
            yield f"The timeout is {timeout_s} s; expected 1 to {MAX_TIMEOUT_S} s (12 h)."

    def _name_problems(self) -> Iterator[str]:
        slug = slugify(self.title)
        if problem := title_problem(self.title):
            yield problem
        owner, _, name = self.id.partition("/")
        if not (re.fullmatch(_WORD, owner) and re.fullmatch(_WORD, name)):
            yield f"id is {self.id!r}; expected OWNER/NAME: your user name, a slash, and {slug!r}."
        elif name.lower() != slug:
            yield (
                f"The title {self.title!r} gives the notebook the id {slug!r}, but its id is "
                f"{name!r}. Kaggle would use the title. Use id={slug!r}, or change the title."
            )

    def _machine_problems(self) -> Iterator[str]:
        shape = self.machine_shape or ""
        if self.enable_gpu and self.enable_tpu:
            yield "A notebook runs on a GPU or on a TPU, and both are on. Switch one of them off."
        if self.enable_gpu and not shape:
            yield (
                "enable_gpu is on without machine_shape. Kaggle may choose a P100, where its torch "
                f'fails. Set machine_shape = "{DEFAULT_GPU}".'
            )
        if shape in RETIRED:
            yield f"machine_shape {shape!r} is retired. Use {RETIRED[shape]!r}."
        for brand, key in (("Nvidia", "enable_gpu"), ("Tpu", "enable_tpu")):
            if shape.startswith(brand) and not getattr(self, key):
                yield f"machine_shape is {shape!r}, but {key} is off. Switch {key} on."


def nb_meta(
    user: str,  # owner of the notebook
    id: str,  # its name in the URL: the title in lower case, with dashes
    title: str,  # 5 to 50 characters
    file: str,  # the notebook, or a .py script
    competition: str | Iterable[str] | None = None,  # slug, or several
    private: bool = True,
    gpu: bool = False,
    internet: bool = True,  # most code competitions need False
    linked_datasets: Iterable[str] | None = None,  # owner/name[/version]
    *,
    tpu: bool = False,
    machine_shape: str | None = None,  # accelerator; None: T4 x2 with gpu, v5e-8 with tpu
    linked_models: Iterable[str] | None = None,  # owner/model/framework/variation/version
    linked_notebooks: Iterable[str] | None = None,  # owner/name: its output is attached
    docker_image: str | None = None,  # an exact image, as `kaggle kernels pull -m` writes it
    docker_image_pinning_type: str | None = None,  # original | latest
    timeout_s: float | None = None,  # longest run; None: Kaggle's own limit
    keywords: Iterable[str] = (),
) -> dict[str, Any]:
    """Return the `dict` required for a kernel-metadata.json file."""
    from ..services import slug_of

    if machine_shape in RETIRED:
        replacement = RETIRED[machine_shape]
        warnings.warn(
            f"Kaggle has retired the accelerator {machine_shape}; using {replacement} instead.",
            stacklevel=2,
        )
        machine_shape = replacement
    if not machine_shape and (gpu or tpu):
        machine_shape = DEFAULT_TPU if tpu else DEFAULT_GPU
    return KernelMetadata.read(
        {
            "id": f"{user}/{id}",
            "title": title,
            "code_file": str(file),
            "language": "python",
            "kernel_type": "script" if str(file).endswith(".py") else "notebook",
            "is_private": private,
            "enable_gpu": gpu or (machine_shape or "").startswith("Nvidia"),
            "enable_tpu": tpu or (machine_shape or "").startswith("Tpu"),
            "enable_internet": internet,
            "keywords": list(keywords),
            "dataset_sources": _as_list(linked_datasets),
            "competition_sources": [slug_of(c) for c in _as_list(competition)],
            "kernel_sources": _as_list(linked_notebooks),
            "model_sources": _as_list(linked_models),
            "machine_shape": machine_shape or None,
            "docker_image": docker_image,
            "docker_image_pinning_type": docker_image_pinning_type,
            "session_timeout_seconds": int(timeout_s) if timeout_s else None,
        }
    ).as_dict()


def check_meta(meta: Mapping[str, Any]) -> None:
    """Raise PushRefused if Kaggle would refuse this metadata, or rename the notebook."""
    for problem in KernelMetadata.read(meta).problems():
        raise PushRefused(f"{problem} Nothing was pushed.")


def title_problem(title: str) -> str:
    """Return why Kaggle would refuse a title, or an empty string."""
    least, most = NAME_LENGTH
    for text in (title, slugify(title)):
        if not least <= len(text) <= most:
            return (
                f"The title {title!r} is refused: {text!r} has {len(text)} characters; "
                f"expected {least} to {most}, with letters or digits."
            )
    return ""


def _as_list(value: Any) -> list[Any]:
    """Return one name, several or none as a list; a Competition counts as one name."""
    if not value:
        return []
    return [value] if isinstance(value, str) or hasattr(value, "slug") else list(value)
